import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { AppError } from "../contract/errors.ts";
import type { RunnerEventBody } from "../contract/event.ts";
import { EVENT_MAX_BYTES } from "../contract/event-bounds.ts";
import { Spool } from "./spool.ts";

/** Lines are kept, spilled and freed in blocks of at most this size. */
export const BLOCK_MAX_BYTES = 256 * 1024;
/** Above this, sealed blocks go to the spool file. */
export const SPILL_ABOVE_BYTES = 2 * 1024 * 1024;
/** Above this, `emit` waits. */
export const MEMORY_MAX_BYTES = 4 * 1024 * 1024;
/** The spool file is never larger; more than OUTPUT_MAX_BYTES, so that all the output that is kept of a job fits. */
export const SPOOL_MAX_BYTES = 96 * 1024 * 1024;
/** Calls of `emit` that may wait at once: each source of events waits for its own, so there are only a few. */
const WAITING_MAX = 1024;

/** Lines first_n to last_n. They are in memory (`lines`), in the spool (`slot`), never in both. */
type Block = {
  first_n: number;
  last_n: number;
  bytes: number;
  lines: string[] | null;
  slot: number | null;
  sealed: boolean;
  freed: boolean;
};

/**
 * The events of this runner that the orchestrator has not stored yet, numbered from 1 without gaps.
 * Bounded: memory first, then a spool file, then `emit` waits, which is the back-pressure on whoever makes events.
 */
export class Outbox implements AsyncDisposable {
  /** New at each start of a runner, so that numbers of an earlier one are never taken for ours. */
  readonly epoch = randomBytes(16).toString("hex");
  readonly #spool: Spool | null;
  readonly #blocks: Block[] = [];
  #last = 0;
  #acked = 0;
  #memory_bytes = 0;
  #waiting = 0;
  #queue: Promise<void> = Promise.resolve();
  #spilling: Promise<void> | null = null;
  #spillAgain = false;
  #spoolFailed = false;
  #closed = false;
  #appended = Promise.withResolvers<void>();
  #freed = Promise.withResolvers<void>();
  #reader: AbortController | null = null;

  private constructor(spool: Spool | null) {
    this.#spool = spool;
  }

  /**
   * Opens the spool file in `folder` and unlinks it at once. Call it before any tool runs, so that none can open the file in between.
   * Where it cannot be made (a full disk) the outbox works in memory alone.
   */
  static async open(options: { folder: string }): Promise<Outbox> {
    const slots = Math.floor(SPOOL_MAX_BYTES / BLOCK_MAX_BYTES);
    return new Outbox(await Spool.open({ folder: options.folder, slot_bytes: BLOCK_MAX_BYTES, slots }));
  }

  /** The number of the newest event, 0 before the first. */
  get last(): number {
    return this.#last;
  }

  /** What is held at the moment: bytes in memory, and slots of the spool in use. */
  get held(): { memory_bytes: number; spool_slots: number } {
    return { memory_bytes: this.#memory_bytes, spool_slots: this.#spool?.used ?? 0 };
  }

  /**
   * Numbers and keeps an event. Resolves when it is kept, so waiting for it holds its source back; events are numbered in the order
   * of the calls. Rejects with AppError `shutting_down` after disposal.
   */
  emit(body: RunnerEventBody): Promise<void> {
    assert(this.#waiting < WAITING_MAX, "A source of events emits without waiting.");
    this.#waiting += 1;
    const kept = this.#queue.then(() => this.#keep(body));
    this.#queue = kept.then(
      () => this.#done(),
      () => this.#done(),
    );
    return kept;
  }

  /**
   * Lines (NDJSON, each with its newline) of the events with n > after, in order, then live until `signal` aborts.
   * Only one reader is live: a new one ends the one before. Throws AppError `conflict` for an `after` that was never emitted, or
   * that lies before what was acknowledged and is kept no more.
   */
  read(after: number, signal: AbortSignal): AsyncIterable<string> {
    if (after > this.#last || after < this.#acked) {
      throw new AppError({
        code: "conflict",
        message: `Events after ${after} cannot be read: the runner has ${this.#acked + 1} to ${this.#last}.`,
      });
    }
    this.#reader?.abort();
    const reader = new AbortController();
    this.#reader = reader;
    return this.#lines(after, AbortSignal.any([signal, reader.signal]));
  }

  /** Events up to n are stored on the other side and need not be kept. Repeats, and numbers from before, do nothing. */
  ack(n: number): void {
    this.#acked = Math.max(this.#acked, Math.min(n, this.#last));
    let block = this.#blocks[0];
    while (block !== undefined && block.last_n <= this.#acked) {
      this.#blocks.shift();
      block.freed = true;
      this.#free(block);
      block = this.#blocks[0];
    }
    this.#tellFreed();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    this.#reader?.abort();
    this.#tellFreed();
    await this.#queue;
    await this.#spilling;
    await this.#spool?.[Symbol.asyncDispose]();
  }

  async #keep(body: RunnerEventBody): Promise<void> {
    const at = new Date().toISOString();
    const line = `${JSON.stringify({ n: this.#last + 1, at, ...body })}\n`;
    const bytes = Buffer.byteLength(line);
    assert(bytes <= EVENT_MAX_BYTES, `An event of type ${body.type} has ${bytes} bytes.`);
    while (!this.#closed && this.#memory_bytes + bytes > MEMORY_MAX_BYTES) await this.#freed.promise;
    if (this.#closed) throw new AppError({ code: "shutting_down", message: "The runner is ending." });
    this.#append(line, bytes);
  }

  #append(line: string, bytes: number): void {
    let block = this.#blocks.at(-1);
    if (block !== undefined && block.bytes + bytes > BLOCK_MAX_BYTES) block.sealed = true;
    if (block === undefined || block.lines === null || block.sealed) {
      const first_n = this.#last + 1;
      block = { first_n, last_n: this.#last, bytes: 0, lines: [], slot: null, sealed: false, freed: false };
      this.#blocks.push(block);
    }
    block.lines?.push(line);
    block.bytes += bytes;
    block.last_n = ++this.#last;
    this.#memory_bytes += bytes;
    this.#tellAppended();
    this.#startSpill();
  }

  #startSpill(): void {
    if (this.#closed || this.#memory_bytes <= SPILL_ABOVE_BYTES) return;
    this.#spillAgain = this.#spilling !== null;
    this.#spilling ??= this.#spill().finally(() => {
      this.#spilling = null;
      if (this.#spillAgain) this.#startSpill();
    });
  }

  /** Moves sealed blocks to the spool, the newest first: a reader that lags behind then finds its next ones in memory. */
  async #spill(): Promise<void> {
    while (this.#memory_bytes > SPILL_ABOVE_BYTES && !this.#spoolFailed && !this.#closed) {
      const block = this.#blocks.findLast((each) => each.sealed && each.lines !== null);
      const slot = block === undefined ? null : (this.#spool?.take() ?? null);
      if (block === undefined || block.lines === null || slot === null) return;
      const written = await this.#written(slot, block.lines);
      // A block whose write failed stays in memory, and a disk that is full now is not asked again.
      this.#spoolFailed = !written;
      if (written && !block.freed) {
        block.slot = slot;
        block.lines = null;
        this.#memory_bytes -= block.bytes;
      } else {
        this.#spool?.give(slot);
      }
      this.#tellFreed();
    }
  }

  async #written(slot: number, lines: string[]): Promise<boolean> {
    try {
      await this.#spool?.write(slot, Buffer.from(lines.join("")));
      return true;
    } catch {
      return false;
    }
  }

  async *#lines(after: number, signal: AbortSignal): AsyncGenerator<string> {
    signal.addEventListener("abort", () => this.#tellAppended(), { once: true });
    let n = after;
    while (!signal.aborted) {
      const next = n + 1;
      const block = this.#blocks.find((each) => each.last_n >= next);
      if (block === undefined) {
        if (n < this.#last) throw new AppError({ code: "conflict", message: "Events were freed unread." });
        await this.#appended.promise;
        continue;
      }
      // A copy, because the block may grow or be freed while the reader takes its time.
      const from = next - block.first_n;
      const lines = block.lines?.slice(from) ?? (await this.#spooled(block)).slice(from);
      for (const line of lines) {
        if (signal.aborted) return;
        yield line;
        n += 1;
      }
    }
  }

  async #spooled(block: Block): Promise<string[]> {
    assert(this.#spool !== null && block.slot !== null);
    const content = await this.#spool.read(block.slot, block.bytes);
    if (block.freed) throw new AppError({ code: "conflict", message: "Events were freed unread." });
    return content.toString().split(/(?<=\n)/);
  }

  /** Gives back what a block held; one that is just being written gives its slot back after that. */
  #free(block: Block): void {
    if (block.lines !== null) this.#memory_bytes -= block.bytes;
    else if (block.slot !== null) this.#spool?.give(block.slot);
  }

  #tellAppended(): void {
    this.#appended.resolve();
    this.#appended = Promise.withResolvers<void>();
  }

  #tellFreed(): void {
    this.#freed.resolve();
    this.#freed = Promise.withResolvers<void>();
    this.#startSpill();
  }

  #done(): void {
    this.#waiting -= 1;
  }
}
