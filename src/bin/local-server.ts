import { spawn } from "node:child_process";
import { closeSync, mkdirSync, openSync, readFileSync, renameSync, statSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Endpoint, LocalServer } from "../cli/local-server.ts";
import type { Progress } from "../cli/progress.ts";
import type { Holder } from "../contract/api.ts";
import { AppError } from "../contract/errors.ts";
import { readHolder } from "../stores/state-lock.ts";
import { isAlive } from "./is-alive.ts";
import { DEFAULT_HOST, providersOf, readToken, type Settings } from "./settings.ts";

const HEALTH_TIMEOUT_MS = 2_000;
const START_TIMEOUT_MS = 60_000;
const STOP_TIMEOUT_MS = 30_000;
const POLL_MS = 50;
/** The log of a background server begins anew when it is larger; the one before is kept. */
const LOG_MAX_BYTES = 10 * 1024 * 1024;
const LOG_TAIL_CHARS = 2_000;

/** The orchestrator of this state folder, as the CLI uses it. What it needs of the server's code is loaded only when it is used. */
export function createLocalServer(settings: Settings): LocalServer {
  const { data } = settings;

  async function find(): Promise<(Endpoint & { holder: Holder }) | null> {
    // The lock and not the file alone: a killed server leaves its file behind, and its port and pid may be somebody else's by now.
    const holder = await readHolder(data);
    if (holder === null || !(await answers(holder.url))) return null;
    return { url: holder.url, token: readToken(data), holder };
  }

  async function stop(signal: AbortSignal): Promise<{ stopped: boolean; pid: number | null }> {
    const found = await find();
    if (found === null) return { stopped: false, pid: null };
    const { pid } = found.holder;
    terminate(pid);
    const deadline = Date.now() + STOP_TIMEOUT_MS;
    while ((await readHolder(data))?.pid === pid || isAlive(pid)) {
      if (Date.now() > deadline)
        throw new AppError({
          code: "conflict",
          message: `The orchestrator (process ${pid}) did not stop within ${STOP_TIMEOUT_MS / 1000} s.`,
          hint: `End it with: kill -9 ${pid}. Its jobs go on and are found again.`,
        });
      await sleep(POLL_MS, undefined, { signal });
    }
    return { stopped: true, pid };
  }

  async function ensure(progress: Progress, signal: AbortSignal): Promise<Endpoint> {
    const found = await find();
    if (found !== null && !lacksProvider(found.holder, settings.environment)) return found;
    if (found !== null) {
      progress.step("Restarting the orchestrator, as a model provider was added (jobs go on)");
      await stop(signal);
    }
    const { setUp } = await import("./set-up.ts");
    await setUp(settings, progress, signal);
    progress.step("Starting the orchestrator in the background");
    await startInBackground(settings, signal);
    const started = await find();
    if (started === null) throw notStarted(settings, "it does not answer");
    progress.line(`listening at ${started.url}, log in ${logFile(settings)}`);
    progress.done();
    return started;
  }

  return {
    find,
    stop,
    ensure,
    async serve(options, progress, signal) {
      const { setUp } = await import("./set-up.ts");
      const { serve } = await import("./serve.ts");
      const ready = await setUp(settings, progress, signal);
      const background = settings.environment.SEALWORK_BACKGROUND === "1";
      await serve(settings, { ...options, background }, ready, progress, signal);
    },
    async setup(progress, signal) {
      const { setUp } = await import("./set-up.ts");
      const { dashboard_problem } = await setUp(settings, progress, signal);
      if (dashboard_problem !== null) throw dashboard_problem;
    },
    async doctor(signal) {
      const { doctor } = await import("./doctor.ts");
      return doctor(settings, signal);
    },
  };
}

function lacksProvider(holder: Holder, environment: Record<string, string | undefined>): boolean {
  return holder.background && providersOf(environment).some((name) => !holder.providers.includes(name));
}

async function answers(url: string): Promise<boolean> {
  if (url === "") return false;
  try {
    const answer = await fetch(new URL("/healthz", url), { signal: AbortSignal.timeout(HEALTH_TIMEOUT_MS) });
    await answer.body?.cancel();
    return answer.ok;
  } catch {
    return false;
  }
}

async function startInBackground(settings: Settings, signal: AbortSignal): Promise<void> {
  mkdirSync(settings.data, { recursive: true, mode: 0o700 });
  const file = logFile(settings);
  if ((statSync(file, { throwIfNoEntry: false })?.size ?? 0) > LOG_MAX_BYTES) renameSync(file, `${file}.1`);
  const log = openSync(file, "a", 0o600);
  const child = spawn(
    process.execPath,
    [...process.execArgv, join(import.meta.dirname, "sealwork.ts"), "serve", "--host", DEFAULT_HOST],
    {
      cwd: settings.data,
      detached: true,
      stdio: ["ignore", log, log],
      env: { ...settings.environment, SEALWORK_BACKGROUND: "1" },
    },
  );
  closeSync(log);
  child.unref();
  let ended: string | null = null;
  child.once("error", (error) => {
    ended = error.message;
  });
  child.once("exit", (code, name) => {
    ended = `it ended with ${name ?? `exit code ${code}`}`;
  });
  const deadline = Date.now() + START_TIMEOUT_MS;
  while (true) {
    const holder = await readHolder(settings.data);
    if (holder !== null && (await answers(holder.url))) return;
    // When somebody else holds the folder, another command was faster, and its server is about to answer.
    if (ended !== null && holder === null) throw notStarted(settings, ended);
    if (Date.now() > deadline)
      throw notStarted(settings, `it did not answer within ${START_TIMEOUT_MS / 1000} s`);
    await sleep(POLL_MS, undefined, { signal });
  }
}

function notStarted(settings: Settings, why: string): AppError {
  let tail = "";
  try {
    tail = readFileSync(logFile(settings), "utf8").slice(-LOG_TAIL_CHARS);
  } catch {
    // No log: the process did not even begin.
  }
  return new AppError({
    code: "unreachable",
    message: `The orchestrator did not start: ${why}.${tail === "" ? "" : `\n${tail}`}`,
    hint: "Run `sealwork serve` to see it in the foreground, or `sealwork doctor`.",
  });
}

function logFile(settings: Settings): string {
  return join(settings.data, "orchestrator.log");
}

/** One that has ended meanwhile is what was wanted. */
function terminate(pid: number): void {
  try {
    process.kill(pid, "SIGTERM");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}
