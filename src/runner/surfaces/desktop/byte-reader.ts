import type { Socket } from "node:net";

/** What is read ahead of a socket before it is held back. */
const AHEAD_MAX_BYTES = 1024 * 1024;

/** Reads a socket piece by piece, in the order in which it is asked; one reader at a time. Takes the socket over. */
export class ByteReader {
  readonly #socket: Socket;
  readonly #chunks: Buffer[] = [];
  #ahead_bytes = 0;
  #ended = false;
  #wake: () => void = () => undefined;

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("data", (chunk: Buffer) => {
      this.#chunks.push(chunk);
      this.#ahead_bytes += chunk.length;
      if (this.#ahead_bytes > AHEAD_MAX_BYTES) socket.pause();
      this.#wake();
    });
    socket.once("close", () => {
      this.#ended = true;
      this.#wake();
    });
  }

  /** Exactly so many bytes. Rejects when the socket closes before. */
  async read(length: number): Promise<Buffer> {
    const first = this.#chunks[0];
    // What a message needs lies mostly in one piece.
    if (first !== undefined && first.length >= length) return this.#take(first, length);
    const whole = Buffer.allocUnsafe(length);
    let filled = 0;
    while (filled < length) {
      const piece = await this.some(length - filled);
      piece.copy(whole, filled);
      filled += piece.length;
    }
    return whole;
  }

  /** At least one byte, and at most `max_length`. Rejects when the socket closes before. */
  async some(max_length: number): Promise<Buffer> {
    for (;;) {
      const first = this.#chunks[0];
      if (first !== undefined) return this.#take(first, Math.min(max_length, first.length));
      if (this.#ended) throw new Error("The connection has closed.");
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  async skip(length: number): Promise<void> {
    for (let left = length; left > 0; ) left -= (await this.some(left)).length;
  }

  #take(first: Buffer, length: number): Buffer {
    if (first.length === length) this.#chunks.shift();
    else this.#chunks[0] = first.subarray(length);
    this.#ahead_bytes -= length;
    if (this.#ahead_bytes <= AHEAD_MAX_BYTES && this.#socket.isPaused()) this.#socket.resume();
    return first.subarray(0, length);
  }
}
