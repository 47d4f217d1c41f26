import type { FileHandle } from "node:fs/promises";
import type { LentPieces } from "../../contract/checked-stream.ts";

const PIECE_BYTES = 256 * 1024;

/**
 * Bytes `start` to `end` (inclusive) of an open file, which is closed at the end. One piece is read while the other is used. Fails when the file
 * has become shorter, so that it never passes for the whole.
 */
export class FilePieces implements LentPieces {
  readonly lent = true;
  readonly #file: FileHandle;
  readonly #start: number;
  readonly #end: number;
  #closing: Promise<void> | null = null;

  constructor(file: FileHandle, range: { start: number; end: number }) {
    this.#file = file;
    this.#start = range.start;
    this.#end = range.end;
  }

  destroy(): void {
    // A file that was only read cannot fail to close in a way that matters to anybody.
    this.#close().catch(() => undefined);
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Buffer> {
    const size = Math.min(PIECE_BYTES, this.#end + 1 - this.#start);
    let [used, other] = [Buffer.allocUnsafeSlow(size), Buffer.allocUnsafeSlow(size)];
    let position = this.#start;
    let reading = this.#read(used, position);
    try {
      while (position <= this.#end) {
        const piece = used.subarray(0, await reading);
        position += piece.length;
        if (position <= this.#end) {
          reading = this.#read(other, position);
          // It is awaited in the next round; until then its rejection must not count as unhandled.
          reading.catch(() => undefined);
        }
        yield piece;
        [used, other] = [other, used];
      }
    } finally {
      await this.#close();
    }
  }

  async #read(into: Buffer, position: number): Promise<number> {
    const wanted = Math.min(into.length, this.#end + 1 - position);
    const { bytesRead } = await this.#file.read(into, 0, wanted, position);
    if (bytesRead === 0) throw new Error("The file has become shorter while it was read.");
    return bytesRead;
  }

  #close(): Promise<void> {
    this.#closing ??= this.#file.close();
    return this.#closing;
  }
}
