import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import type { Progress } from "../cli/progress.ts";
import { AppError } from "../contract/errors.ts";
import type { ImageSource } from "../core/images.ts";
import { type EngineHandle, findEngine } from "../drivers/docker-engine.ts";
import { createDockerImages } from "../drivers/docker-images.ts";
import { installEngine } from "../drivers/docker-install.ts";
import { probeSharedSockets } from "../drivers/docker-socket-probe.ts";
import { buildDashboard } from "./dashboard-build.ts";
import type { Settings } from "./settings.ts";

/** What a server needs of the machine. Without a dashboard everything else works; `dashboard_problem` says why there is none. */
export type Ready = {
  engine: EngineHandle;
  images: ImageSource;
  dashboard: string | null;
  dashboard_problem: AppError | null;
};

/**
 * Finds the container engine or installs it, makes sure of the default template's image, and finds out whether sockets can be shared with
 * a container; then builds the dashboard. Idempotent, safe to interrupt. Throws AppError that says what to type.
 */
export async function setUp(settings: Settings, progress: Progress, signal: AbortSignal): Promise<Ready> {
  progress.step("Finding the container engine");
  const engine = await engineOf(settings, progress, signal);
  const images = createImages(settings, engine);
  const name = settings.config.default_template;
  const template = settings.config.templates[name];
  if (template !== undefined) {
    const { image, build } = template;
    progress.step(`Making sure of the image ${image}`);
    const { reference } = await images.ensure({ name, image, build }, (line) => progress.line(line), signal);
    await proveSharedSockets(settings, engine, reference, progress, signal);
  }
  const dashboard = await dashboardOf(settings, progress, signal);
  progress.done();
  return { engine, images, ...dashboard };
}

async function dashboardOf(
  settings: Settings,
  progress: Progress,
  signal: AbortSignal,
): Promise<Pick<Ready, "dashboard" | "dashboard_problem">> {
  const given = settings.environment.SEALWORK_DASHBOARD ?? "";
  if (given !== "") return { dashboard: resolve(given), dashboard_problem: null };
  try {
    const dashboard = await buildDashboard({ installation: settings.installation, progress, signal });
    return { dashboard, dashboard_problem: null };
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    progress.step("The dashboard could not be built: going on without it, `sealwork setup` says why");
    return { dashboard: null, dashboard_problem: error };
  }
}

export function engineOptions(settings: Settings): Parameters<typeof findEngine>[0] {
  return { environment: settings.environment, home: settings.environment.HOME || homedir() };
}

export function createImages(settings: Settings, { docker }: EngineHandle): ImageSource {
  return createDockerImages({
    docker,
    root: settings.installation,
    cache_folder: settings.cache,
    runner_entry: join(settings.installation, "src/runner/main.ts"),
    npm_command: ["npm"],
  });
}

async function engineOf(settings: Settings, progress: Progress, signal: AbortSignal): Promise<EngineHandle> {
  try {
    return await findEngine(engineOptions(settings), signal);
  } catch (error) {
    if (!(error instanceof AppError) || error.code !== "engine_missing") throw error;
    // Only root may install one; for everybody else the list of what was looked at says more.
    if (process.getuid?.() !== 0) throw error;
  }
  progress.step("Installing the container engine");
  mkdirSync(settings.data, { recursive: true, mode: 0o700 });
  return installEngine(
    {
      ...engineOptions(settings),
      state_folder: settings.data,
      uid: 0,
      progress: (line) => progress.line(line),
    },
    signal,
  );
}

/** Asked once for each engine and state folder: the answer does not change. */
async function proveSharedSockets(
  settings: Settings,
  engine: EngineHandle,
  image: string,
  progress: Progress,
  signal: AbortSignal,
): Promise<void> {
  const note = join(settings.data, "shared-sockets.json");
  const proven = JSON.stringify({ engine: engine.id, folder: settings.data });
  try {
    if (readFileSync(note, "utf8") === proven) return;
  } catch {
    // Not asked yet.
  }
  progress.step("Trying whether a container reaches a socket of this machine");
  const folder = join(settings.data, "links");
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  await probeSharedSockets(engine, image, folder, signal);
  writeFileSync(note, proven, { mode: 0o600 });
}
