import { constants, type Http2Stream } from "node:http2";
import { Duplex } from "node:stream";
import { AppError } from "./errors.ts";

/** What waits to be sent counts as memory of the whole session, which takes no new streams when it has too much of it. */
const PIECE_MAX_BYTES = 64 * 1024;

/**
 * A stream of HTTP/2 as the two directions of a connection, each of which ends by itself and holds the other side up when nobody reads.
 * What the other side resets, or a lost link cuts, is an error here, AppError `link_lost`, and never looks like an end in good order.
 * Destroying it resets the stream. It must be made in the turn in which the stream appeared.
 */
export function byteStream(stream: Http2Stream): Duplex {
  return new ByteStream(stream);
}

class ByteStream extends Duplex {
  readonly #stream: Http2Stream;

  constructor(stream: Http2Stream) {
    super({ allowHalfOpen: true });
    this.#stream = stream;
    stream.on("data", (chunk: Buffer) => {
      if (!this.push(chunk)) stream.pause();
    });
    stream.once("end", () => {
      // The platform ends a stream that was reset like any other; only the code tells.
      if (stream.rstCode === constants.NGHTTP2_NO_ERROR && !stream.aborted) this.push(null);
      else this.destroy(cut("the other side dropped it"));
    });
    stream.on("error", (cause) => this.destroy(cut(cause.message, cause)));
    stream.once("aborted", () => this.destroy(cut("the other side dropped it")));
    stream.once("close", () => {
      if (!stream.readableEnded) this.destroy(cut("it was closed"));
      else if (!stream.writableFinished) this.destroy(cut("the other side takes no more"));
    });
  }

  override _read(): void {
    this.#stream.resume();
  }

  override _write(chunk: Buffer, encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    const piece = chunk.subarray(0, PIECE_MAX_BYTES);
    if (piece.length === chunk.length) this.#stream.write(piece, done);
    else {
      this.#stream.write(piece, (error) => {
        if (error) done(error);
        else this._write(chunk.subarray(PIECE_MAX_BYTES), encoding, done);
      });
    }
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#stream.end(done);
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    // Given an error the platform resets at once; closing it would end it in good order first.
    if (error !== null || !this.readableEnded || !this.writableFinished) {
      this.#stream.destroy(error ?? cut("it was dropped here"));
    }
    done(error);
  }
}

function cut(why: string, cause?: unknown): AppError {
  return new AppError({ code: "link_lost", message: `A connection over the link was cut: ${why}.`, cause });
}
