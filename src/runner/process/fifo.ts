import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { closeSync, constants, openSync, unlinkSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";

/** Both ends of one pipe, as descriptors of this process. `read` does not block, `write` does, as tools expect of their output. */
export type Fifo = { read: number; write: number };

const run = promisify(execFile);

/**
 * Makes pipes for the output of tools. Node gives its children socket pairs, and a socket cannot be opened by path, so that
 * `echo text > /dev/stderr` would fail in every script; a FIFO is a pipe, and one can be made without an addon.
 * One pair is always ready, because a process (`mkfifo`, of any image with coreutils) has to be started to make it.
 */
export class FifoSupply implements AsyncDisposable {
  readonly #folder: string;
  #next: Promise<[Fifo, Fifo]> | null = null;

  /** `folder` holds the FIFOs for the moment between their making and their opening. */
  constructor(options: { folder: string }) {
    this.#folder = options.folder;
  }

  /** Makes a pair in advance. */
  prepare(): void {
    this.#next ??= this.#make();
    // Whoever takes it meets the error.
    this.#next.catch(() => undefined);
  }

  /** A pair that belongs to the caller, who closes its four ends. Rejects when `mkfifo` is missing or cannot be started. */
  async take(): Promise<[Fifo, Fifo]> {
    const ready = this.#next ?? this.#make();
    this.#next = null;
    try {
      return await ready;
    } finally {
      this.prepare();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const left = await this.#next?.catch(() => []);
    this.#next = null;
    for (const fifo of left ?? []) closeFifo(fifo);
  }

  async #make(): Promise<[Fifo, Fifo]> {
    const name = join(this.#folder, `.sealwork-${randomBytes(8).toString("hex")}`);
    const paths = [`${name}.out`, `${name}.err`] as const;
    await run("mkfifo", ["-m", "600", ...paths]);
    const first = open(paths[0]);
    try {
      return [first, open(paths[1])];
    } catch (error) {
      closeFifo(first);
      throw error;
    }
  }
}

export function closeFifo(fifo: Fifo): void {
  closeSync(fifo.read);
  closeSync(fifo.write);
}

/** The reading end is opened first and without blocking; with a reader there the writing end opens at once. */
function open(path: string): Fifo {
  const read = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    return { read, write: openSync(path, constants.O_WRONLY) };
  } catch (error) {
    closeSync(read);
    throw error;
  } finally {
    unlinkSync(path);
  }
}
