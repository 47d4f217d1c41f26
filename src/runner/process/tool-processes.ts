import { closeSync, constants, openSync } from "node:fs";
import { constants as os } from "node:os";
import type { StepCause } from "../../contract/event.ts";
import type { StopRequest } from "../../contract/link.ts";
import { closeFifo, type Fifo, FifoSupply } from "./fifo.ts";
import { OutputPipe } from "./output-pipe.ts";
import { Reaper, type TerminalSize, type ToolEnd } from "./reaper.ts";
import { settlesWithin } from "./settles-within.ts";

/** A tool that is stopped has this long after SIGTERM before every descendant is killed. */
export const TERM_GRACE_MS = 2_000;
/** A tool that the kernel does not let die this long after SIGKILL is waited for no longer. */
export const KILL_WAIT_MS = 2_000;

const PIDS_HINT = "The job probably has as many processes as limits.pids allows.";

/** Why a tool is stopped: the reason that its signal is aborted with. */
export class StopCause extends Error {
  readonly stop: StopRequest["cause"] | "disk_full";

  constructor(stop: StopRequest["cause"] | "disk_full") {
    super(`The step was stopped: ${stop}.`);
    this.stop = stop;
  }
}

export type OutputStream = "stdout" | "stderr";

export type ToolRun = {
  argv: readonly [string, ...string[]];
  cwd: string;
  env: Record<string, string>;
  /** A file that becomes the tool's standard input; null is an empty one. */
  stdin_path: string | null;
  /** With a terminal, which has no keyboard, all output comes as stdout. */
  terminal?: TerminalSize | null;
  /** Takes output piece by piece; the tool is held back while it takes its time. */
  onOutput(stream: OutputStream, chunk: Buffer): Promise<void>;
  /** Stops the tool; aborted with a StopCause. */
  signal: AbortSignal;
};

/** `message` is for people, null when cause, exit_code and signal say it all. */
export type ToolResult = {
  cause: StepCause;
  exit_code: number | null;
  signal: string | null;
  message: string | null;
  duration_ms: number;
};

export type ToolStart = Omit<ToolRun, "stdin_path" | "signal"> & {
  /** A file, a pipe that `reaper.input` writes into, or null for an empty input. */
  stdin: { path: string } | "pipe" | null;
};

/** A tool that has been started. Its output pipes end with `finish`, or with the disposal of ToolProcesses. */
export type RunningTool = {
  readonly reaper: Reaper;
  /** Resolves when `onOutput` has all that was written up to now; later output is read and dropped. Rejects with what `onOutput` threw. */
  finish(): Promise<void>;
};

type Running = { reaper: Reaper; pipes: OutputPipe[] };

/** The processes of tools: those that run, and what ended ones left behind. Disposal kills all of them. */
export class ToolProcesses implements AsyncDisposable {
  readonly #reaper_path: string;
  readonly #oomKills: () => Promise<number | null>;
  readonly #fifos: FifoSupply;
  readonly #running = new Set<Running>();

  /** `oomKills` counts the processes of this sandbox that the kernel killed for lack of memory; null where nothing counts them. */
  constructor(options: { reaper_path: string; folder: string; oomKills: () => Promise<number | null> }) {
    this.#reaper_path = options.reaper_path;
    this.#oomKills = options.oomKills;
    this.#fifos = new FifoSupply({ folder: options.folder });
  }

  /** Makes in advance what the first tool needs. Holds the caller up for some ms. */
  prepare(): void {
    this.#fifos.prepare();
  }

  /**
   * Runs one tool. Resolves when its own process has ended and `onOutput` has all that it wrote up to then; a daemon that it left behind
   * lives on, its output dropped. One that is stopped takes all that it left behind with it. Rejects only with what `onOutput` threw.
   */
  async run(tool: ToolRun): Promise<ToolResult> {
    const begun = performance.now();
    // Read while the tool starts: nothing of it can have been killed that early.
    const counting = this.#oomKills();
    const { stdin_path, signal, ...start } = tool;
    const started = await this.start({ ...start, stdin: stdin_path === null ? null : { path: stdin_path } });
    if (typeof started === "string") {
      const message = started;
      const duration_ms = performance.now() - begun;
      return { cause: "not_started", exit_code: null, signal: null, message, duration_ms };
    }
    const kills_before = await counting;
    const end = await untilEnded(started.reaper, signal);
    this.#fifos.prepare();
    const duration_ms = performance.now() - begun;
    await started.finish();
    return { ...(await this.forMemory(resultOf(end, tool), kills_before)), duration_ms };
  }

  /** How many processes of this sandbox the kernel has killed for lack of memory; null where nothing counts them. */
  oomKills(): Promise<number | null> {
    return this.#oomKills();
  }

  /** The same end, or `out_of_memory` when it was none of its own and the kernel has killed a process since it counted `kills_before`. */
  async forMemory<E extends Omit<ToolResult, "duration_ms">>(
    end: E,
    kills_before: number | null,
  ): Promise<E> {
    if (end.cause !== "signalled" && (end.cause !== "exited" || end.exit_code === 0)) return end;
    const kills_after = await this.#oomKills();
    if (kills_before === null || kills_after === null || kills_after <= kills_before) return end;
    const message = "The kernel killed a process of this step because the sandbox had no memory left.";
    return { ...end, cause: "out_of_memory", message };
  }

  /** Kills all of them; resolves when they are gone, or after KILL_WAIT_MS. */
  async killAll(): Promise<void> {
    const running = [...this.#running];
    for (const { reaper } of running) reaper.kill();
    await settlesWithin(Promise.all(running.map(({ reaper }) => reaper.gone)), KILL_WAIT_MS);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const running = [...this.#running];
    await this.killAll();
    await Promise.all(running.flatMap(({ pipes }) => pipes.map((pipe) => pipe[Symbol.asyncDispose]())));
    await this.#fifos[Symbol.asyncDispose]();
  }

  /** Starts a tool that its caller waits for and ends; a sentence when it could not be started at all. */
  async start(tool: ToolStart): Promise<RunningTool | string> {
    let fifos: [Fifo, Fifo];
    try {
      fifos = await this.#fifos.take();
    } catch (error) {
      return notMade(`No pipe could be made for the output: ${textOf(error)}`);
    }
    const [out, err] = fifos;
    let stdin: number | null = null;
    let reaper: Reaper;
    try {
      if (tool.stdin !== null && tool.stdin !== "pipe") stdin = openSync(tool.stdin.path, constants.O_RDONLY);
      const { argv, cwd, env, terminal = null } = tool;
      const input = stdin ?? (tool.stdin === "pipe" ? ("pipe" as const) : ("ignore" as const));
      const stdio: [number | "ignore" | "pipe", number, number] = [input, out.write, err.write];
      reaper = Reaper.start({ reaper_path: this.#reaper_path, argv, cwd, env, stdio, terminal });
    } catch (error) {
      for (const fifo of fifos) closeFifo(fifo);
      return notMade(`The tool could not be started: ${textOf(error)}`);
    } finally {
      if (stdin !== null) closeSync(stdin);
    }
    closeSync(out.write);
    closeSync(err.write);
    const pipes = [
      new OutputPipe(out.read, (chunk) => tool.onOutput("stdout", chunk)),
      new OutputPipe(err.read, (chunk) => tool.onOutput("stderr", chunk)),
    ];
    const running = { reaper, pipes };
    this.#running.add(running);
    reaper.gone.then(() => this.#running.delete(running));
    const finish = async (): Promise<void> => {
      for (const pipe of pipes) await pipe.finish();
    };
    return { reaper, finish };
  }
}

function notMade(message: string): string {
  return message.includes("EAGAIN") ? `${message} ${PIDS_HINT}` : message;
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Waits for the tool; once `signal` is aborted it is asked to end, then killed, then given up. */
async function untilEnded(reaper: Reaper, signal: AbortSignal): Promise<ToolEnd> {
  let timer: NodeJS.Timeout | undefined;
  const given_up = Promise.withResolvers<ToolEnd>();
  const stop = (): void => {
    reaper.terminate();
    timer = setTimeout(() => {
      reaper.kill();
      timer = setTimeout(() => given_up.resolve({ kind: "lost" }), KILL_WAIT_MS);
    }, TERM_GRACE_MS);
  };
  if (signal.aborted) stop();
  else signal.addEventListener("abort", stop, { once: true });
  try {
    return await Promise.race([reaper.toolEnded, given_up.promise]);
  } finally {
    signal.removeEventListener("abort", stop);
    clearTimeout(timer);
    if (signal.aborted) await killWhole(reaper);
  }
}

/** Ends a tool with all that it left behind; what runs next meets nothing of it, such as a fork bomb. Resolves when it is gone, or after KILL_WAIT_MS. */
export async function killWhole(reaper: Reaper): Promise<void> {
  reaper.kill();
  await settlesWithin(reaper.gone, KILL_WAIT_MS);
}

/** How the end of a tool is told; when `tool.signal` is aborted, it was we who ended it. */
export function resultOf(
  end: ToolEnd,
  tool: Pick<ToolRun, "argv" | "cwd" | "signal">,
): Omit<ToolResult, "duration_ms"> {
  const exit_code = end.kind === "exit" ? end.code : null;
  const signal = end.kind === "signal" ? signalName(end.number) : null;
  if (end.kind === "error")
    return { cause: "not_started", exit_code, signal, message: notStarted(end, tool) };
  if (tool.signal.aborted) {
    const { reason } = tool.signal;
    const stop = reason instanceof StopCause ? reason.stop : "cancelled";
    if (stop !== "disk_full") return { cause: stop, exit_code, signal, message: null };
    return {
      cause: "cancelled",
      exit_code,
      signal,
      message: "The step was stopped: the disk limit was reached.",
    };
  }
  if (end.kind === "exit") return { cause: "exited", exit_code, signal, message: null };
  if (end.kind === "signal") return { cause: "signalled", exit_code, signal, message: null };
  const message = "The process that watches over the step was killed, and the step with it.";
  return { cause: "reaper_lost", exit_code, signal, message };
}

function notStarted(end: Extract<ToolEnd, { kind: "error" }>, tool: Pick<ToolRun, "argv" | "cwd">): string {
  const [program] = tool.argv;
  if (end.stage === "reaper")
    return `The tool could not be started (${end.error}). ${end.error === "EAGAIN" ? PIDS_HINT : ""}`.trimEnd();
  if (end.stage === "chdir") return `The working directory ${tool.cwd} cannot be entered (${end.error}).`;
  if (end.stage === "exec" && end.error === "ENOENT")
    return `The program ${program} is not in this image: choose a template that has it, or add it to the image.`;
  return `The program ${program} could not be started (${end.stage}: ${end.error}).`;
}

export function signalName(number: number): string {
  const known = Object.entries(os.signals).find(([, value]) => value === number);
  return known?.[0] ?? `SIG${number}`;
}
