import assert from "node:assert/strict";
import { closeSync, renameSync, rmSync, writeSync } from "node:fs";
import { lstat, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { closeFifo, type Fifo, FifoSupply } from "../../process/fifo.ts";
import { OutputPipe } from "../../process/output-pipe.ts";
import type { Reaper, ToolEnd } from "../../process/reaper.ts";
import { settlesWithin } from "../../process/settles-within.ts";
import {
  killWhole,
  type OutputStream,
  type RunningTool,
  type ToolProcesses,
} from "../../process/tool-processes.ts";
import { CODE, COMMANDS, STATE, shellArgv, shellDriver } from "./shell-driver.ts";

/** What a report may be long: a step, an exit code and a path. */
const REPORT_MAX_BYTES = 16 * 1024;
/** Exported variables that are taken over into the next shell. */
const STATE_MAX_BYTES = 1024 * 1024;
/** A reaper that does not answer in this time never will; a busy machine is no reason not to. */
const REAPER_ANSWERS_MS = 10_000;

export type ShellReport = { exit_code: number; cwd: string };

/** One command on its way: settled by its report or by the end of the shell, whichever comes first. */
export type ShellCommand = AsyncDisposable & {
  readonly reported: Promise<ShellReport>;
  /** Whether the shell has said that it began with it. A shell that was killed before has done nothing of it. */
  hasBegun(): boolean;
  /** Resolves when all output up to now has been taken. Rejects with what `onOutput` threw. */
  finish(): Promise<void>;
};

/** One bash with its folder of FIFOs. It says nothing of why it ends; its session does. */
export class ShellProcess implements AsyncDisposable {
  readonly folder: string;
  readonly #tool: RunningTool;
  readonly #fifos: FifoSupply;
  readonly #commands: Fifo;
  readonly #report: Fifo;
  readonly #reports: OutputPipe;
  #heard = Buffer.alloc(0);
  readonly #waiting = new Map<string, { begun: boolean; resolve(report: ShellReport): void }>();
  #has_ended = false;
  /** Pipes that a process which was left behind may still hold. */
  readonly #pipes = new Set<OutputPipe>();

  private constructor(folder: string, tool: RunningTool, fifos: FifoSupply, pair: [Fifo, Fifo]) {
    this.folder = folder;
    this.#tool = tool;
    this.#fifos = fifos;
    [this.#commands, this.#report] = pair;
    this.#reports = new OutputPipe(this.#report.read, async (chunk) => this.#hear(chunk));
    this.ended.then(() => {
      this.#has_ended = true;
    });
  }

  /** Starts bash in `cwd`, with `state` (bash code) done first. A sentence when it could not be started. */
  static async start(options: {
    processes: ToolProcesses;
    scratch: string;
    cwd: string;
    env: Record<string, string>;
    state: string;
  }): Promise<ShellProcess | string> {
    const { processes, scratch, cwd, env, state } = options;
    let folder: string;
    try {
      // Also when somebody cleared what it lies in.
      await mkdir(scratch, { recursive: true });
      // Its name begins with a dot: what clears a folder with `*` leaves it.
      folder = await mkdtemp(join(scratch, ".sealwork-shell-"));
    } catch (error) {
      return notStarted(error);
    }
    const fifos = new FifoSupply({ folder, named: true });
    let pair: [Fifo, Fifo] | null = null;
    let tool: RunningTool | string;
    try {
      pair = await fifos.take();
      renameSync(pair[0].path, join(folder, COMMANDS));
      await writeFile(join(folder, "rc"), `${state}\n${shellDriver(folder)}`, { mode: 0o600 });
      const argv = shellArgv(join(folder, "rc"));
      const onOutput = async (): Promise<void> => undefined;
      tool = await processes.start({ argv, cwd, env: { ...env, PWD: cwd }, stdin: null, onOutput });
    } catch (error) {
      tool = notStarted(error);
    }
    if (pair !== null && typeof tool !== "string") return new ShellProcess(folder, tool, fifos, pair);
    for (const fifo of pair ?? []) closeFifo(fifo);
    await fifos[Symbol.asyncDispose]();
    await rm(folder, { recursive: true, force: true }).catch(() => undefined);
    assert(typeof tool === "string", "A tool is started with its pair.");
    return tool;
  }

  get reaper(): Reaper {
    return this.#tool.reaper;
  }

  get ended(): Promise<ToolEnd> {
    return this.reaper.toolEnded;
  }

  /** Whether it lives and hears: a command may have removed the folder. */
  async isReachable(): Promise<boolean> {
    if (this.#has_ended) return false;
    const stats = [COMMANDS, basename(this.#report.path)].map((name) => lstat(join(this.folder, name)));
    const found = await Promise.allSettled(stats);
    return found.every((one) => one.status === "fulfilled" && one.value.isFIFO());
  }

  /** Hands one command to the shell, which must be at no other. Rejects with errors of the file system, and when the reaper does not answer. */
  async send(
    code: string,
    onOutput: (stream: OutputStream, chunk: Buffer) => Promise<void>,
  ): Promise<ShellCommand> {
    const [marked] = await Promise.all([
      settlesWithin(this.reaper.mark(), REAPER_ANSWERS_MS),
      writeFile(join(this.folder, CODE), code, { mode: 0o600 }),
    ]);
    if (!marked) throw new Error("its reaper does not answer.");
    const [out, err] = await this.#fifos.take();
    // Nobody can guess it, so that what a command writes into the folder is no report.
    const step = basename(out.path);
    const pipes = [
      new OutputPipe(out.read, (chunk) => onOutput("stdout", chunk)),
      new OutputPipe(err.read, (chunk) => onOutput("stderr", chunk)),
    ];
    for (const pipe of pipes) {
      this.#pipes.add(pipe);
      pipe.closed.then(() => this.#pipes.delete(pipe));
    }
    const { promise: reported, resolve } = Promise.withResolvers<ShellReport>();
    const waiting = { begun: false, resolve };
    this.#waiting.set(step, waiting);
    writeSync(
      this.#commands.write,
      `${step} ${basename(out.path)} ${basename(err.path)} ${basename(this.#report.path)}\n`,
    );
    return {
      reported,
      hasBegun: () => waiting.begun,
      finish: async () => {
        for (const pipe of pipes) await pipe.finish();
      },
      [Symbol.asyncDispose]: async () => {
        this.#waiting.delete(step);
        for (const fifo of [out, err]) {
          closeSync(fifo.write);
          rmSync(fifo.path, { force: true });
        }
      },
    };
  }

  /** Takes the bash code from the state file; empty when there is none. */
  async state(): Promise<string> {
    const path = join(this.folder, STATE);
    try {
      const content = await readFile(path, "utf8");
      await rm(path);
      return content.length > STATE_MAX_BYTES ? "" : content;
    } catch {
      return "";
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await killWhole(this.reaper);
    const pipes = [this.#reports, ...this.#pipes];
    await Promise.all(pipes.map((pipe) => pipe[Symbol.asyncDispose]()));
    for (const fifo of [this.#commands, this.#report]) closeSync(fifo.write);
    closeSync(this.#commands.read);
    await this.#fifos[Symbol.asyncDispose]();
    await rm(this.folder, { recursive: true, force: true }).catch(() => undefined);
  }

  #hear(chunk: Buffer): void {
    const heard = Buffer.concat([this.#heard, chunk]);
    const lines = heard.toString("utf8").split("\0");
    this.#heard = Buffer.from(lines.pop() ?? "").subarray(-REPORT_MAX_BYTES);
    for (const line of lines) {
      const [, step = "", code, cwd = ""] = /^(\S+) (?:begun|(\d+) (\/.*)\n)$/s.exec(line) ?? [];
      const waiting = this.#waiting.get(step);
      if (waiting === undefined) continue;
      waiting.begun = true;
      if (code !== undefined) waiting.resolve({ exit_code: Number(code), cwd });
    }
  }
}

function notStarted(error: unknown): string {
  return `The shell could not be started: ${error instanceof Error ? error.message : String(error)}`;
}
