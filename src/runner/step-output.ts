import { isUtf8 } from "node:buffer";
import { setTimeout as sleep } from "node:timers/promises";
import type { RunnerEventBody } from "../contract/event.ts";
import { OUTPUT_CHUNK_MAX_BYTES, OUTPUT_MAX_BYTES } from "../contract/event-bounds.ts";

/** Small pieces that follow each other within this time become one event; the first after a pause leaves at once. */
const COALESCE_MS = 20;

type Emit = (body: RunnerEventBody) => Promise<void>;
type Stream = "stdout" | "stderr";

/** How much output of the job is still kept, over all its steps. */
export class OutputAllowance {
  readonly #emit: Emit;
  readonly #max_bytes: number;
  #left: number;

  constructor(emit: Emit, max_bytes: number = OUTPUT_MAX_BYTES) {
    this.#emit = emit;
    this.#max_bytes = max_bytes;
    this.#left = max_bytes;
  }

  /** The part of `chunk` that is still kept; when the first byte is dropped, that is said after `keep` has had the rest. */
  async take(chunk: Buffer, keep: (part: Buffer) => Promise<void>): Promise<void> {
    if (this.#left < 0) return;
    const part = chunk.subarray(0, this.#left);
    const exceeded = chunk.length > this.#left;
    this.#left = exceeded ? -1 : this.#left - chunk.length;
    if (part.length > 0) await keep(part);
    if (!exceeded) return;
    const message = `The job wrote more than ${this.#max_bytes} bytes of output; the rest is dropped, and the job goes on.`;
    const data = { limit: "output" as const, message, limit_value: this.#max_bytes, value: null };
    await this.#emit({ type: "limit.reached", data });
  }
}

/**
 * The output of one step on its way into `step.output` events: both streams in the order in which they were read, in pieces of at most
 * OUTPUT_CHUNK_MAX_BYTES, as text where they are UTF-8. A character that was cut by a read is kept until its rest has come.
 */
export class StepOutput {
  readonly #step: number;
  readonly #emit: Emit;
  readonly #allowance: OutputAllowance;
  #stream: Stream = "stdout";
  #pending: Buffer[] = [];
  #pending_bytes = 0;
  /** The first bytes of a character whose rest has not come. */
  readonly #begun: Record<Stream, Buffer> = { stdout: Buffer.alloc(0), stderr: Buffer.alloc(0) };
  #flushed_at = Number.NEGATIVE_INFINITY;
  #queue: Promise<void> = Promise.resolve();
  #timed: Promise<void> | null = null;
  readonly #ending = new AbortController();

  constructor(step: number, emit: Emit, allowance: OutputAllowance) {
    this.#step = step;
    this.#emit = emit;
    this.#allowance = allowance;
  }

  /** Resolves when more can be taken, which is the back-pressure on the tool. */
  write(stream: Stream, chunk: Buffer): Promise<void> {
    if (stream !== this.#stream) this.#cut();
    this.#stream = stream;
    this.#pending.push(chunk);
    this.#pending_bytes += chunk.length;
    const quiet_ms = performance.now() - this.#flushed_at;
    if (this.#pending_bytes >= OUTPUT_CHUNK_MAX_BYTES || quiet_ms >= COALESCE_MS) this.#cut();
    else this.#timed ??= this.#cutAfter(COALESCE_MS - quiet_ms);
    return this.#queue;
  }

  /** Sends what is pending, characters that were never finished included. Rejects with what `emit` threw. */
  async end(): Promise<void> {
    this.#ending.abort();
    await this.#timed;
    this.#cut();
    for (const stream of ["stdout", "stderr"] as const) {
      const rest = this.#begun[stream];
      if (rest.length > 0) this.#send(stream, rest);
    }
    await this.#queue;
  }

  async #cutAfter(wait_ms: number): Promise<void> {
    await sleep(wait_ms, undefined, { signal: this.#ending.signal }).catch(() => undefined);
    this.#timed = null;
    this.#cut();
  }

  /** Hands what is pending of the current stream on, but for a character at its end that is not complete. */
  #cut(): void {
    if (this.#pending.length === 0) return;
    const stream = this.#stream;
    let rest = Buffer.concat([this.#begun[stream], ...this.#pending]);
    this.#pending = [];
    this.#pending_bytes = 0;
    this.#flushed_at = performance.now();
    while (rest.length > OUTPUT_CHUNK_MAX_BYTES) {
      const length = wholeCharacters(rest.subarray(0, OUTPUT_CHUNK_MAX_BYTES));
      this.#send(stream, rest.subarray(0, length));
      rest = rest.subarray(length);
    }
    const length = wholeCharacters(rest);
    if (length > 0) this.#send(stream, rest.subarray(0, length));
    this.#begun[stream] = rest.subarray(length);
  }

  #send(stream: Stream, part: Buffer): void {
    this.#queue = this.#queue.then(() =>
      this.#allowance.take(part, (kept) => {
        const encoding = isUtf8(kept) ? "utf8" : "base64";
        const data = { step: this.#step, stream, encoding, data: kept.toString(encoding) } as const;
        return this.#emit({ type: "step.output", data });
      }),
    );
    // Whoever writes next, or ends, meets the error; until then it must not count as unhandled.
    this.#queue.catch(() => undefined);
  }
}

/** How many bytes of `part` are left when a character that only begins at its end is taken off (RFC 3629); all when there is none. */
function wholeCharacters(part: Buffer): number {
  for (let back = 1; back <= 3 && back <= part.length; back++) {
    const byte = part[part.length - back] ?? 0;
    if ((byte & 0xc0) === 0x80) continue;
    const length = byte >= 0xf0 && byte < 0xf8 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1;
    return length > back && byte < 0xf8 ? part.length - back : part.length;
  }
  return part.length;
}
