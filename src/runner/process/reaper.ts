import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import * as z from "zod/mini";

/** What a reaper says, one JSON line each (images/base/reaper.c). */
const Status = z.union([
  z.object({ pid: z.int() }),
  z.object({ exit: z.int() }),
  z.object({ signal: z.int() }),
  z.object({ error: z.string(), stage: z.enum(["exec", "chdir", "fork", "pty"]) }),
  z.object({ drained: z.literal(true) }),
  z.object({ done: z.int() }),
]);

/** How the tool ended, as its reaper says. `lost`: the reaper itself was killed, or could not be started (`error` says why). */
export type ToolEnd =
  | { kind: "exit"; code: number }
  | { kind: "signal"; number: number }
  | { kind: "error"; error: string; stage: "exec" | "chdir" | "fork" | "pty" | "reaper" }
  | { kind: "lost" };

/** How large a tool's terminal is. */
export type TerminalSize = { columns: number; rows: number };

/** A reaper with one tool, and with whatever that tool leaves behind. */
export class Reaper {
  /** What the tool reads; null unless its stdin is a pipe. */
  readonly input: Writable | null;
  /** The tool's own process id, as soon as it runs; null when it never did. Never rejects. */
  readonly pid: Promise<number | null>;
  /** Settles once, when the tool itself ended; never rejects. */
  readonly toolEnded: Promise<ToolEnd>;
  /** Settles when no process is left of the tool and its reaper; never rejects. */
  readonly gone: Promise<void>;
  readonly #child: ChildProcess;
  readonly #control: Writable;
  /** Those who wait for an order to be carried out, by its number. */
  readonly #asked = new Map<number, () => void>();
  #orders = 0;

  private constructor(child: ChildProcess, status: Readable, control: Writable) {
    this.#child = child;
    this.#control = control;
    this.input = child.stdin;
    // A tool may end without having read it all.
    this.input?.on("error", () => this.input?.destroy());
    const running = Promise.withResolvers<number | null>();
    this.pid = running.promise;
    // A reaper that is gone needs no more orders.
    control.on("error", () => control.destroy());
    const ended = Promise.withResolvers<ToolEnd>();
    this.toolEnded = ended.promise;
    status.on("error", () => status.destroy());
    const lines = createInterface({ input: status });
    lines.on("line", (line) => {
      const status = statusOf(line);
      if (status === null) return;
      if ("pid" in status) running.resolve(status.pid);
      if ("done" in status) this.#answer(status.done);
      const end = toolEndOf(status);
      if (end !== null) ended.resolve(end);
    });
    // Its lines are read to their end first, because the last of them may say how the tool ended.
    lines.once("close", () => {
      running.resolve(null);
      ended.resolve({ kind: "lost" });
      this.#answer(this.#orders);
    });
    this.gone = new Promise((resolve) => {
      child.once("error", (error: NodeJS.ErrnoException) => {
        ended.resolve({ kind: "error", error: error.code ?? error.message, stage: "reaper" });
        resolve();
      });
      child.once("exit", () => {
        control.destroy();
        resolve();
      });
    });
  }

  /** Starts `argv` under the reaper; `stdio` are descriptors, which stay the caller's. With a terminal, its output goes to the second. */
  static start(options: {
    reaper_path: string;
    argv: readonly string[];
    cwd: string;
    env: Record<string, string>;
    stdio: [number | "ignore" | "pipe", number, number];
    terminal?: TerminalSize | null;
  }): Reaper {
    const { terminal = null } = options;
    const pty = terminal === null ? [] : ["--pty", `${terminal.columns}x${terminal.rows}`];
    const child = spawn(options.reaper_path, [...pty, "--cwd", options.cwd, "--", ...options.argv], {
      env: options.env,
      stdio: [...options.stdio, "pipe", "pipe"],
    });
    // Against its types, Node makes no streams when no descriptor is left, and tells why by an event that must find a listener.
    const streams: ChildProcess["stdio"] | undefined = child.stdio;
    if (streams === undefined) {
      child.once("error", () => undefined);
      throw new Error("The runner has no file descriptor left: daemons of earlier steps hold too many.");
    }
    const [, , , status, control] = streams;
    return new Reaper(child, status as Readable, control as Writable);
  }

  /** Asks every descendant to end (SIGTERM). */
  terminate(): void {
    this.#order("term\n");
  }

  /** Sends a signal to the tool's process group, with a terminal to what is in its foreground. Who is marked is spared. */
  signal(number: number): void {
    this.#order(`signal ${number}\n`);
  }

  resize({ columns, rows }: TerminalSize): void {
    this.#order(`resize ${columns} ${rows}\n`);
  }

  /** Ends every descendant, until none remains. */
  kill(): void {
    this.#order("kill\n");
  }

  /** Remembers what runs now, for `sweep` to spare. Resolves when that is done, or there is no reaper any more; never rejects. */
  mark(): Promise<void> {
    return this.#ask("mark");
  }

  /**
   * Ends every descendant but the tool, those that were marked, and what comes of these. Resolves when they are gone, with the next `mark`
   * (which ends the sweep), or when there is no reaper any more; never rejects.
   */
  sweep(): Promise<void> {
    return this.#ask("sweep");
  }

  #ask(order: "mark" | "sweep"): Promise<void> {
    if (this.#control.destroyed) return Promise.resolve();
    const number = ++this.#orders;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#asked.set(number, resolve);
    this.#order(`${order} ${number}\n`);
    return promise;
  }

  /** An answer is one to all orders before it as well. */
  #answer(to: number): void {
    for (const [number, resolve] of this.#asked) {
      if (number > to) continue;
      this.#asked.delete(number);
      resolve();
    }
  }

  #order(line: string): void {
    if (this.#control.destroyed) return;
    // The tool may stop its reaper, which has the same user.
    this.#child.kill("SIGCONT");
    this.#control.write(line);
  }
}

function toolEndOf(status: z.infer<typeof Status>): ToolEnd | null {
  if ("exit" in status) return { kind: "exit", code: status.exit };
  if ("signal" in status) return { kind: "signal", number: status.signal };
  if ("error" in status) return { kind: "error", ...status };
  return null;
}

/** Null for a line that a killed reaper did not finish. */
function statusOf(line: string): z.infer<typeof Status> | null {
  try {
    return Status.parse(JSON.parse(line));
  } catch {
    return null;
  }
}
