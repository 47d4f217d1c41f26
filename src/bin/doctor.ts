import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, statfs } from "node:fs/promises";
import { promisify } from "node:util";
import { NO_MODEL, NO_MODEL_HINT } from "../cli/no-model.ts";
import type { Check } from "../contract/api.ts";
import { Config } from "../contract/config.ts";
import { AppError } from "../contract/errors.ts";
import { chooseModel, modelName } from "../core/models.ts";
import { checkEngine } from "../drivers/docker-doctor.ts";
import { type EngineHandle, findEngine } from "../drivers/docker-engine.ts";
import { inspectImage } from "../drivers/docker-pull.ts";
import { probeSharedSockets } from "../drivers/docker-socket-probe.ts";
import { readHolder } from "../stores/state-lock.ts";
import { readProviders } from "./providers.ts";
import { engineOptions } from "./set-up.ts";
import type { Settings } from "./settings.ts";

/** Less free than this, and a job of default size may not end well. */
const FREE_WARNING_BYTES = 10 * 1024 ** 3;
/** sun_path of unix(7) ends at 107 bytes; below the state folder come links/, an id of 16 characters and a socket's name. */
const DATA_PATH_MAX_BYTES = 107 - "/links//control".length - 16;
const GIT_TIMEOUT_MS = 5_000;

/** What works on this machine and how to mend what does not: each line stands for itself, and none needs a server. */
export async function doctor(settings: Settings, signal: AbortSignal): Promise<Check[]> {
  return [
    { name: "node", state: "ok", message: process.version, hint: null },
    configuration(settings),
    await models(settings),
    await stateFolder(settings),
    await server(settings),
    await git(),
    ...(await engine(settings, signal)),
  ];
}

function configuration(settings: Settings): Check {
  const name = "configuration";
  const { config_file } = settings;
  try {
    void settings.config;
    const message = existsSync(config_file) ? config_file : `the defaults; there is no ${config_file}`;
    return { name, state: "ok", message, hint: null };
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    return { name, state: "failed", message: error.message, hint: error.hint ?? null };
  }
}

/** What is checked when the configuration cannot be read: the line about it says so already. */
function validOrDefault(settings: Settings): Config {
  try {
    return settings.config;
  } catch {
    return Config.parse({});
  }
}

/** Which models a job could work with in this environment; scripts need none, so none is no failure. */
async function models(settings: Settings): Promise<Check> {
  const name = "models";
  const config = validOrDefault(settings);
  try {
    const { providers } = readProviders(config, settings.environment);
    const served = (await readHolder(settings.data))?.providers ?? [];
    if (providers.length === 0 && served.length > 0) {
      const message = `none in this environment; the running server has ${served.join(", ")}`;
      return { name, state: "ok", message, hint: null };
    }
    if (providers.length === 0) return { name, state: "warning", message: NO_MODEL, hint: NO_MODEL_HINT };
    const known = providers.map((one) => `${one.name}${one.has_key ? "" : " (without a key)"}`).join(", ");
    const chosen = chooseModel(null, null, { config, providers });
    if (chosen !== null)
      return { name, state: "ok", message: `${known}; jobs take ${modelName(chosen)}`, hint: null };
    return {
      name,
      state: "warning",
      message: `${known}; no model is the default`,
      hint: `Give --model ${providers[0]?.name}/MODEL with each run, or set default_model in config.json.`,
    };
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    return { name, state: "failed", message: error.message, hint: error.hint ?? null };
  }
}

async function stateFolder({ data }: Settings): Promise<Check> {
  const name = "state folder";
  if (Buffer.byteLength(data) > DATA_PATH_MAX_BYTES)
    return {
      name,
      state: "failed",
      message: `${data} is too long for the sockets below it`,
      hint: `Set SEALWORK_DATA to a path of at most ${DATA_PATH_MAX_BYTES} bytes.`,
    };
  try {
    await mkdir(data, { recursive: true, mode: 0o700 });
    const { bavail, bsize } = await statfs(data);
    const free = bavail * bsize;
    const gib = (free / 1024 ** 3).toFixed(1);
    if (free >= FREE_WARNING_BYTES)
      return { name, state: "ok", message: `${data}, ${gib} GiB free`, hint: null };
    return {
      name,
      state: "warning",
      message: `${data} has only ${gib} GiB free`,
      hint: "Make room, or set SEALWORK_DATA to a larger disk; a job may use 10 GiB.",
    };
  } catch (error) {
    return {
      name,
      state: "failed",
      message: `${data} cannot be written: ${error instanceof Error ? error.message : String(error)}`,
      hint: "Set SEALWORK_DATA to a folder that you may write.",
    };
  }
}

async function server({ data }: Settings): Promise<Check> {
  const holder = await readHolder(data);
  const message =
    holder === null
      ? "none runs; the next `sealwork run` starts one"
      : `process ${holder.pid} at ${holder.url}`;
  return { name: "server", state: "ok", message, hint: null };
}

async function git(): Promise<Check> {
  try {
    const { stdout } = await promisify(execFile)("git", ["--version"], { timeout: GIT_TIMEOUT_MS });
    return { name: "git", state: "ok", message: stdout.trim(), hint: null };
  } catch {
    return {
      name: "git",
      state: "warning",
      message: "not found; `run --dir`, `apply` and patches need it",
      hint: "Install git.",
    };
  }
}

async function engine(settings: Settings, signal: AbortSignal): Promise<Check[]> {
  try {
    const found = await findEngine(engineOptions(settings), signal);
    const config = validOrDefault(settings);
    const template = config.templates[config.default_template];
    const image =
      template === undefined ? null : `${template.image}${template.build === null ? "" : ":latest"}`;
    const there = image !== null && (await inspectImage(found.docker, image, signal)) !== null;
    return [
      { name: "engine", state: "ok", message: `${found.version} at ${found.found_at}`, hint: null },
      ...(await checkEngine(found.docker, config.runtime)),
      there
        ? { name: "image", state: "ok", message: `${image} is there`, hint: null }
        : {
            name: "image",
            state: "warning",
            message: `${image} is missing`,
            hint: "`sealwork setup` or the next `sealwork run` makes it.",
          },
      ...(there ? [await sandbox(settings, found, image, signal)] : []),
    ];
  } catch (error) {
    const known = error instanceof AppError ? error : null;
    return [
      {
        name: "engine",
        state: "failed",
        message: known?.message ?? String(error),
        hint: known?.hint ?? "Start the container engine, then try again.",
      },
    ];
  }
}

/** Starts a container and lets it reach a socket of this machine, as every job's has to. */
async function sandbox(
  settings: Settings,
  engine: EngineHandle,
  image: string,
  signal: AbortSignal,
): Promise<Check> {
  const name = "sandbox";
  try {
    await mkdir(settings.data, { recursive: true, mode: 0o700 });
    await probeSharedSockets(engine, image, settings.data, signal);
    return {
      name,
      state: "ok",
      message: "a container starts and reaches a socket of this machine",
      hint: null,
    };
  } catch (error) {
    const known = error instanceof AppError ? error : null;
    return { name, state: "failed", message: known?.message ?? String(error), hint: known?.hint ?? null };
  }
}
