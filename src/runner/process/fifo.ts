import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { closeSync, constants, openSync, rmSync, unlinkSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";

/** Both ends of one pipe, as descriptors of this process. `read` does not block, `write` does, as tools expect of their output. */
export type Fifo = { read: number; write: number; path: string };

const run = promisify(execFile);

/** Pairs made by one process. A step that finds a pair ready neither waits for that process nor shares the processors with it. */
const PAIRS_MADE = 8;

/**
 * Makes pipes for the output of tools. Node gives its children socket pairs, and a socket cannot be opened by path, so that
 * `echo text > /dev/stderr` would fail in every script; a FIFO is a pipe, and one can be made without an addon.
 * Some pairs are always ready, because a process (`mkfifo`, of any image with coreutils) has to be started to make them.
 */
export class FifoSupply implements AsyncDisposable {
  readonly #folder: string;
  readonly #named: boolean;
  readonly #ready: [Fifo, Fifo][] = [];
  #making: Promise<void> | null = null;
  #closed = false;

  /** `folder` holds the FIFOs for the moment between their making and their opening, or, when they are `named`, until their owner removes them. */
  constructor(options: { folder: string; named?: boolean }) {
    this.#folder = options.folder;
    this.#named = options.named ?? false;
  }

  /** Makes pairs in advance when none is left. Call it when nothing waits: to start a process holds this one up for some ms. */
  prepare(): void {
    if (this.#ready.length > 0 || this.#making !== null || this.#closed) return;
    this.#making = this.#make().finally(() => {
      this.#making = null;
    });
    // Whoever waits for a pair meets the error.
    this.#making.catch(() => undefined);
  }

  /** A pair that belongs to the caller, who closes its four ends. Rejects when `mkfifo` is missing or cannot be started. */
  async take(): Promise<[Fifo, Fifo]> {
    while (true) {
      const pair = this.#ready.pop();
      if (pair !== undefined) return pair;
      assert(!this.#closed, "No tool is started after the disposal.");
      this.prepare();
      await this.#making;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    await this.#making?.catch(() => undefined);
    for (const fifo of this.#ready.splice(0).flat()) {
      closeFifo(fifo);
      rmSync(fifo.path, { force: true });
    }
  }

  async #make(): Promise<void> {
    const name = join(this.#folder, `.sealwork-${randomBytes(8).toString("hex")}`);
    const pairs = Array.from(
      { length: PAIRS_MADE },
      (_, pair) => [`${name}-${pair}.out`, `${name}-${pair}.err`] as const,
    );
    await run("mkfifo", ["-m", "600", ...pairs.flat()]);
    try {
      for (const pair of pairs) this.#ready.push(openPair(pair, this.#named));
    } catch (error) {
      for (const path of pairs.flat()) rmSync(path, { force: true });
      throw error;
    }
  }
}

function openPair([out, err]: readonly [string, string], named: boolean): [Fifo, Fifo] {
  const first = open(out, named);
  try {
    return [first, open(err, named)];
  } catch (error) {
    closeFifo(first);
    throw error;
  }
}

export function closeFifo(fifo: Fifo): void {
  closeSync(fifo.read);
  closeSync(fifo.write);
}

/** The reading end is opened first and without blocking; with a reader there the writing end opens at once. */
function open(path: string, named: boolean): Fifo {
  const read = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    return { read, write: openSync(path, constants.O_WRONLY), path };
  } catch (error) {
    closeSync(read);
    throw error;
  } finally {
    if (!named) unlinkSync(path);
  }
}
