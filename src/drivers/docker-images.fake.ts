import { spawn } from "node:child_process";
import { once } from "node:events";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { text } from "node:stream/consumers";
import Docker from "dockerode";
import { Config } from "../contract/config.ts";
import type { ImageRef, ImageSource } from "../core/images.ts";
import { createDockerImages, type DockerImagesOptions } from "./docker-images.ts";

const ROOT = resolve(import.meta.dirname, "../..");
/** What the tests download and note stays from one run to the next. */
const CACHE_FOLDER = join(tmpdir(), "sealwork-test-cache");
/** A name of its own, so that tests never move the tags that sandboxes start from. */
export const TEST_BASE = { name: "base", image: "sealwork-test/base", build: "images/base" };
export const docker = new Docker();

/** The images of the real engine, with a stand-in for the runner. */
export function testImages(overrides: Partial<DockerImagesOptions> = {}): ImageSource {
  return createDockerImages({
    docker,
    root: ROOT,
    cache_folder: CACHE_FOLDER,
    runner_entry: join(import.meta.dirname, "runner.fake.ts"),
    npm_command: ["npm"],
    ...overrides,
  });
}

export function testBase(): Promise<ImageRef> {
  return testImages().ensure(TEST_BASE, () => {}, new AbortController().signal);
}

/** The build of the desktop image installs some 300 packages when it has not been made yet. */
export const DESKTOP_BUILD_TIMEOUT_MS = 900_000;

/** The desktop image as jobs have it, runner included. */
export async function desktopImage(): Promise<string> {
  const template = Config.parse({}).templates.desktop;
  if (template === undefined) throw new Error("There is no template desktop.");
  const images = testImages({ runner_entry: join(ROOT, "src/runner/main.ts") });
  const wanted = { name: "desktop", image: template.image, build: template.build };
  return (await images.ensure(wanted, () => {}, new AbortController().signal)).reference;
}

/** Runs a command in a hardened container, as jobs are, with `input` on its standard input; returns all that it wrote. */
export async function runHardened(
  image: string,
  command: readonly string[],
  options: { input?: string; pids?: number; memory?: string; home?: boolean } = {},
): Promise<string> {
  const memory = options.memory ?? "1g";
  // A volume of its own for the home folder, as a job has one; it goes with its container.
  const home = options.home ? " --volume /home/agent" : "";
  const hardening = `--rm -i --user 1000:1000 --cap-drop ALL --security-opt no-new-privileges --read-only --tmpfs /tmp --network none --memory ${memory} --memory-swap ${memory}${home}`;
  const pids = `--pids-limit=${options.pids ?? 512}`;
  const [program = "", ...args] = command;
  const child = spawn(
    "docker",
    ["run", ...hardening.split(" "), pids, "--entrypoint", program, image, ...args],
    {
      stdio: ["pipe", "pipe", "inherit"],
    },
  );
  child.stdin.end(options.input ?? "");
  const [output] = await Promise.all([text(child.stdout), once(child, "close")]);
  return output;
}
