import { constants } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { settlesWithin } from "../../process/settles-within.ts";
import {
  killWhole,
  type OutputStream,
  resultOf,
  TERM_GRACE_MS,
  type ToolProcesses,
  type ToolResult,
} from "../../process/tool-processes.ts";
import { ShellProcess, type ShellReport } from "./shell-process.ts";

/** A command that took too long has this long after its interrupt, and again after what it started was killed. */
const INTERRUPT_GRACE_MS = 2_000;
const KILL_ROUNDS = 5;
const KILL_ROUND_MS = 200;
/** On a busy machine even what was killed needs time to be gone. */
const SWEEP_MS = 10_000;

export type ShellRun = {
  code: string;
  timeout_ms: number;
  onOutput(stream: OutputStream, chunk: Buffer): Promise<void>;
  /** Aborted with a StopCause. */
  signal: AbortSignal;
};

/** `note` says what became of the shell when it is another one now; null when its state is kept. */
export type ShellEnd = ToolResult & { note: string | null };

/** What came of a command: its report, the end of the shell, or neither in the time there was. */
type Outcome = { report: ShellReport } | { ended: true } | null;

/** A shell that outlives its commands: folder, variables, functions, aliases and options last. One that ended is followed by a new one. */
export class ShellSession implements AsyncDisposable {
  readonly #options: { processes: ToolProcesses; scratch: string; env: Record<string, string> };
  #shell: ShellProcess | null = null;
  #cwd: string;
  readonly #fallback_cwd: string;
  /** What the next shell begins with: bash code that the last one left. */
  #state = "";
  #last: Promise<unknown> = Promise.resolve();
  #closed = false;

  /** `cwd` is where it starts, and where it goes on when its folder is gone. */
  constructor(options: {
    processes: ToolProcesses;
    scratch: string;
    env: Record<string, string>;
    cwd: string;
  }) {
    this.#options = options;
    this.#cwd = options.cwd;
    this.#fallback_cwd = options.cwd;
  }

  /** The folder that the last command ended in. */
  get cwd(): string {
    return this.#cwd;
  }

  /** Runs one command, after those that were asked for before. Rejects only with what `onOutput` threw. */
  run(command: ShellRun): Promise<ShellEnd> {
    const run = this.#last.then(async () => {
      const end = await this.#run(command);
      // A shell that was on its way out when it got the command, as after `kill -9 -1`, is no reason to leave it undone.
      return end === "not_begun" ? this.#once(command) : end;
    });
    this.#last = run.catch(() => undefined);
    return run;
  }

  /** What the shell left in its state file by `code`; empty when it did not come to that. */
  async stateAfter(code: (folder: string) => string, signal: AbortSignal): Promise<string> {
    const onOutput = async (): Promise<void> => undefined;
    const run = this.#last.then(async () => {
      const shell = await this.#ready();
      if (typeof shell === "string") return "";
      await this.#run({ code: code(shell.folder), timeout_ms: INTERRUPT_GRACE_MS, onOutput, signal });
      return shell === this.#shell ? shell.state() : "";
    });
    this.#last = run.catch(() => undefined);
    return run;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    await this.#drop();
  }

  async #once(command: ShellRun): Promise<ShellEnd> {
    const end = await this.#run(command);
    if (end !== "not_begun") return end;
    const message = "The shell ended before it began with the command.";
    return { ...notStarted(message), duration_ms: 0, note: null };
  }

  async #run(command: ShellRun): Promise<ShellEnd | "not_begun"> {
    const begun = performance.now();
    const ended = (result: Omit<ToolResult, "duration_ms">, note: string | null): ShellEnd => {
      return { ...result, duration_ms: performance.now() - begun, note };
    };
    const { processes } = this.#options;
    const [shell, kills_before] = await Promise.all([this.#ready(), processes.oomKills()]);
    if (typeof shell === "string") return ended(notStarted(shell), null);
    let sent: Awaited<ReturnType<ShellProcess["send"]>>;
    try {
      sent = await shell.send(command.code, command.onOutput);
    } catch (error) {
      await this.#drop();
      const why = error instanceof Error ? error.message : String(error);
      return ended(notStarted(`The command could not be handed to the shell: ${why}`), null);
    }
    await using running = sent;
    const { reported } = running;
    const first = await waitFor(shell, reported, command.timeout_ms, command.signal);
    if (command.signal.aborted) {
      await this.#stop(shell, reported);
      await running.finish();
      return ended(resultOf({ kind: "lost" }, told(command.signal)), null);
    }
    const outcome = first ?? (await interrupt(shell, reported));
    await running.finish();
    if (outcome !== null && "report" in outcome) {
      this.#cwd = outcome.report.cwd;
      if (first === null) return ended(timedOut(command.timeout_ms), null);
      const exited = { cause: "exited" as const, signal: null, message: null };
      const result = { ...exited, exit_code: outcome.report.exit_code };
      return ended(await processes.forMemory(result, kills_before), null);
    }
    const end = outcome === null ? null : await shell.ended;
    const has_begun = running.hasBegun();
    const note = await this.#replace(end?.kind === "exit");
    if (end !== null && !has_begun) return "not_begun";
    if (first === null || end === null) return ended(timedOut(command.timeout_ms), note);
    return ended(await processes.forMemory(resultOf(end, told(command.signal)), kills_before), note);
  }

  /** The shell, started when there is none. A sentence when it could not be. */
  async #ready(): Promise<ShellProcess | string> {
    if (this.#closed) return "The tools of this agent are closed.";
    if (this.#shell !== null && !(await this.#shell.isReachable())) await this.#drop();
    if (this.#shell !== null) return this.#shell;
    const start = (cwd: string) => ShellProcess.start({ ...this.#options, cwd, state: this.#state });
    let shell = await start(this.#cwd);
    if (typeof shell !== "string") {
      const refused = await Promise.race([shell.ended, shell.reaper.pid]);
      // A folder that is gone is the one thing that another folder helps against.
      if (refused !== null && typeof refused === "object" && refused.kind === "error") {
        await shell[Symbol.asyncDispose]();
        if (refused.stage !== "chdir") return resultOf(refused, told(null)).message ?? "bash did not start.";
        this.#cwd = this.#fallback_cwd;
        shell = await start(this.#cwd);
      }
    }
    if (typeof shell !== "string") this.#shell = shell;
    return shell;
  }

  /** Asks what runs to end, then kills it, with the shell. */
  async #stop(shell: ShellProcess, reported: Promise<ShellReport>): Promise<void> {
    shell.reaper.terminate();
    await waitFor(shell, reported, TERM_GRACE_MS, null);
    await this.#drop();
  }

  /** Puts an ended or stuck shell away and says what the next one begins with. */
  async #replace(clean: boolean): Promise<string> {
    const state = clean ? await this.#shell?.state() : "";
    await this.#drop();
    this.#state = state ?? "";
    const kept = this.#state === "" ? "" : ", with its folder and exported variables";
    const lost =
      this.#state === "" ? "its variables, functions and background jobs" : "functions and background jobs";
    return `The shell has ended; the next command runs in a new one${kept}; ${lost} are lost.`;
  }

  async #drop(): Promise<void> {
    const shell = this.#shell;
    this.#shell = null;
    await shell?.[Symbol.asyncDispose]();
  }
}

/** Waits for the report or the end, at most that long; a signal ends the wait. */
async function waitFor(
  shell: ShellProcess,
  reported: Promise<ShellReport>,
  wait_ms: number,
  signal: AbortSignal | null,
): Promise<Outcome> {
  const waited = new AbortController();
  const stop = signal === null ? waited.signal : AbortSignal.any([signal, waited.signal]);
  const time = sleep(wait_ms, null, { signal: stop }).catch(() => null);
  try {
    return await Promise.race([
      reported.then((report) => ({ report })),
      shell.ended.then(() => ({ ended: true as const })),
      time,
    ]);
  } finally {
    waited.abort();
  }
}

/**
 * Ends what takes too long: an interrupt as from a keyboard, then SIGKILL for what the command started, and in any case for what it left
 * in the background. Null when the shell itself hangs.
 */
async function interrupt(shell: ShellProcess, reported: Promise<ShellReport>): Promise<Outcome> {
  shell.reaper.signal(constants.signals.SIGINT);
  let outcome = await waitFor(shell, reported, INTERRUPT_GRACE_MS, null);
  for (let round = 0; round < KILL_ROUNDS && outcome === null; round++) {
    await settlesWithin(shell.reaper.sweep(), KILL_ROUND_MS);
    shell.reaper.signal(constants.signals.SIGINT);
    outcome = await waitFor(shell, reported, KILL_ROUND_MS, null);
  }
  if (outcome !== null && (await settlesWithin(shell.reaper.sweep(), SWEEP_MS))) return outcome;
  await killWhole(shell.reaper);
  return null;
}

function told(signal: AbortSignal | null) {
  return { argv: ["bash"] as const, cwd: "", signal: signal ?? new AbortController().signal };
}

function timedOut(timeout_ms: number): Omit<ToolResult, "duration_ms"> {
  const message = `It took longer than ${timeout_ms / 1000} s and was interrupted.`;
  return { cause: "timed_out", exit_code: null, signal: null, message };
}

function notStarted(message: string): Omit<ToolResult, "duration_ms"> {
  return { cause: "not_started", exit_code: null, signal: null, message };
}
