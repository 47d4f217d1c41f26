import { join } from "node:path";
import Docker from "dockerode";
import type { Progress } from "../cli/progress.ts";
import type { ImageSource } from "../core/images.ts";
import { createDockerImages } from "../drivers/docker-images.ts";
import type { Settings } from "./settings.ts";

/** What a server needs of the machine. */
export type Ready = { engine: { docker: Docker }; images: ImageSource };

/** Finds the container engine, or installs it, and makes sure of the default template's image. Idempotent, safe to interrupt. */
export async function setUp(settings: Settings, progress: Progress, signal: AbortSignal): Promise<Ready> {
  progress.step("Finding the container engine");
  const docker = new Docker();
  const images = createDockerImages({
    docker,
    root: settings.installation,
    cache_folder: settings.cache,
    runner_entry: join(settings.installation, "src/runner/main.ts"),
    npm_command: ["npm"],
  });
  const name = settings.config.default_template;
  const template = settings.config.templates[name];
  if (template !== undefined) {
    progress.step(`Making sure of the image ${template.image}`);
    await images.ensure(
      { name, image: template.image, build: template.build },
      (line) => progress.line(line),
      signal,
    );
  }
  progress.done();
  return { engine: { docker }, images };
}
