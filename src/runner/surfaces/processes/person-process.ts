import { once } from "node:events";
import { constants as os } from "node:os";
import type { Writable } from "node:stream";
import { AppError, type ErrorCode } from "../../../contract/errors.ts";
import type { ProcessOrder } from "../../../contract/surfaces.ts";
import type { ToolEnd } from "../../process/reaper.ts";
import { settlesWithin } from "../../process/settles-within.ts";
import {
  killWhole,
  type RunningTool,
  resultOf,
  TERM_GRACE_MS,
  type ToolProcesses,
  type ToolStart,
} from "../../process/tool-processes.ts";
import type { InputPipe } from "./input-pipe.ts";

export type Exit = { exit_code: number | null; signal: string | null };

/** A process that a person started, with what it reads and what it is told. */
export class PersonProcess {
  readonly #running: RunningTool;
  readonly #told: Pick<ToolStart, "argv" | "cwd">;
  readonly #input: Writable | null;

  private constructor(running: RunningTool, input: Writable | null, told: Pick<ToolStart, "argv" | "cwd">) {
    this.#running = running;
    this.#input = input;
    this.#told = told;
  }

  /**
   * Resolves when it runs. Throws AppError `not_found` for a program that is not there, `invalid_path` for a folder that cannot be entered,
   * `conflict` for all else that keeps it from starting. `pipe` becomes its standard input; without one it has a terminal's.
   */
  static async start(
    processes: ToolProcesses,
    tool: Omit<ToolStart, "stdin">,
    pipe: InputPipe | null = null,
  ): Promise<PersonProcess> {
    const running = await processes.start({ ...tool, stdin: pipe ?? "pipe" });
    if (typeof running === "string") {
      pipe?.input.destroy();
      throw new AppError({ code: "conflict", message: running });
    }
    const process = new PersonProcess(running, pipe === null ? running.reaper.input : pipe.input, tool);
    if ((await running.reaper.pid) !== null) return process;
    process.#input?.destroy();
    throw process.#notStarted(await running.reaper.toolEnded);
  }

  /** How it ended, once `ending` was called and its output up to there was taken. What it left behind lives on. */
  async exited(ending: () => void): Promise<Exit> {
    const end = await this.#running.reaper.toolEnded;
    this.#input?.destroy();
    ending();
    await this.#running.finish();
    const { exit_code, signal } = this.#resultOf(end);
    return { exit_code, signal };
  }

  /** Resolves when there is room for more; at once when it reads nothing any more. The signal ends the waiting. */
  async input(data: Buffer, signal: AbortSignal): Promise<void> {
    const input = this.#input;
    if (input === null || input.destroyed || input.writableEnded || input.write(data)) return;
    const settled = new AbortController();
    const either = AbortSignal.any([signal, settled.signal]);
    // Closed, or given up by who waits: nothing is left to wait for, and the caller looks for itself.
    const waits = ["drain", "close"].map((event) =>
      once(input, event, { signal: either }).catch(() => undefined),
    );
    await Promise.race(waits);
    settled.abort();
  }

  obey(order: ProcessOrder): void {
    if (order.type === "resize") this.#running.reaper.resize(order);
    else if (order.type === "signal") this.#running.reaper.signal(os.signals[order.signal]);
    else this.#input?.end();
  }

  /** Ends it with all that came of it: asked first, and killed when it does not go by itself. */
  async stop(): Promise<void> {
    this.#running.reaper.terminate();
    if (!(await settlesWithin(this.#running.reaper.gone, TERM_GRACE_MS))) await this.kill();
  }

  kill(): Promise<void> {
    return killWhole(this.#running.reaper);
  }

  #notStarted(end: ToolEnd): AppError {
    let code: ErrorCode = "conflict";
    if (end.kind === "error" && end.stage === "exec" && end.error === "ENOENT") code = "not_found";
    if (end.kind === "error" && end.stage === "chdir") code = "invalid_path";
    return new AppError({
      code,
      message: this.#resultOf(end).message ?? "The process could not be started.",
    });
  }

  #resultOf(end: ToolEnd): ReturnType<typeof resultOf> {
    return resultOf(end, { ...this.#told, signal: NEVER });
  }
}

const NEVER = new AbortController().signal;
