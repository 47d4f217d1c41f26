import { readSync } from "node:fs";
import { Socket } from "node:net";

/** More than a pipe can hold (1 MiB when a tool widened it): what is read after the tool's end is at most this. */
const HELD_MAX_BYTES = 2 * 1024 * 1024;
const READ_BYTES = 64 * 1024;

/** The reading end of a tool's output. Reads the next piece only when `sink` has taken the last one, so a slow sink holds the tool back. */
export class OutputPipe implements AsyncDisposable {
  readonly #fd: number;
  readonly #socket: Socket;
  readonly #sink: (chunk: Buffer) => Promise<void>;
  /** Settles when nobody can write into it any more, or it was disposed of. */
  readonly closed: Promise<void>;
  #taking: Promise<void> = Promise.resolve();
  #failure: { error: unknown } | null = null;
  #finished = false;

  /** Takes `fd` over; it must not block. */
  constructor(fd: number, sink: (chunk: Buffer) => Promise<void>) {
    this.#fd = fd;
    this.#sink = sink;
    this.#socket = new Socket({ fd, readable: true, writable: false });
    this.closed = new Promise((resolve) => this.#socket.once("close", () => resolve()));
    // A pipe that cannot be read any more has ended; `finish` finds nothing in it then.
    this.#socket.on("error", () => this.#socket.destroy());
    this.#socket.on("data", this.#onData);
  }

  /**
   * Resolves when the sink has all that was written up to now. What a process that was left behind writes later is read and dropped,
   * so that it neither blocks nor dies of it. Rejects with what the sink threw.
   */
  async finish(): Promise<void> {
    this.#finished = true;
    this.#socket.pause();
    await this.#taking;
    // Off first: `read` below hands what it returns to the listeners of "data" as well, and the sink would have it twice.
    this.#socket.off("data", this.#onData);
    const held = this.#held();
    this.#socket.on("data", () => undefined);
    this.#socket.resume();
    for (const chunk of held) await this.#take(chunk);
    if (this.#failure !== null) throw this.#failure.error;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#socket.destroy();
    await this.closed;
  }

  readonly #onData = (chunk: Buffer): void => {
    this.#socket.pause();
    this.#taking = this.#take(chunk).then(() => {
      if (!this.#finished) this.#socket.resume();
    });
  };

  async #take(chunk: Buffer): Promise<void> {
    if (this.#failure !== null) return;
    try {
      await this.#sink(chunk);
    } catch (error) {
      this.#failure = { error };
    }
  }

  /** What the socket has read ahead, then what the pipe holds, until it is empty. */
  #held(): Buffer[] {
    const chunks: Buffer[] = [];
    // Piece by piece: one call returns no more than one of the reads that it holds.
    for (let ahead = this.#socket.read(); ahead !== null; ahead = this.#socket.read()) chunks.push(ahead);
    let bytes = 0;
    while (!this.#socket.destroyed && !this.#socket.readableEnded && bytes < HELD_MAX_BYTES) {
      const chunk = Buffer.allocUnsafe(READ_BYTES);
      const length = readNow(this.#fd, chunk);
      if (length === 0) break;
      chunks.push(chunk.subarray(0, length));
      bytes += length;
    }
    return chunks;
  }
}

/** 0 when the pipe is empty or at its end. */
function readNow(fd: number, into: Buffer): number {
  try {
    return readSync(fd, into);
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "EAGAIN") return 0;
    throw error;
  }
}
