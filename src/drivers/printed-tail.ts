import { Writable } from "node:stream";

export const PRINTED_BYTES = 8 * 1024;

/** Keeps the last 8 KiB of what is written to it. */
export class PrintedTail extends Writable {
  #tail: Buffer = Buffer.alloc(0);

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    const joined = Buffer.concat([this.#tail, chunk]);
    this.#tail = Buffer.from(joined.subarray(Math.max(0, joined.length - PRINTED_BYTES)));
    done();
  }

  /** At most 8 KiB as UTF-8, also when the cut went through a character. */
  text(): string {
    let start = 0;
    // Bytes 10xxxxxx continue a character; at the start they are the rest of one that was cut.
    while (start < 3 && ((this.#tail[start] ?? 0) & 0xc0) === 0x80) start += 1;
    const text = this.#tail.toString("utf8", start);
    // Each byte that is no UTF-8 becomes a replacement of three bytes.
    return Buffer.byteLength(text) <= PRINTED_BYTES ? text : text.slice(-Math.floor(PRINTED_BYTES / 3));
  }
}
