import type { Http2Stream, IncomingHttpHeaders } from "node:http2";
import { Readable, Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { AppError } from "./errors.ts";
import { TRAILER_LENGTH } from "./link.ts";
import { CHECK_TRAILERS, type StreamCheck, sumOf } from "./stream-check.ts";

/** No byte for this long, while the reader wants some, means that the other side will send none. */
export const STALL_TIMEOUT_MS = 60_000;

/**
 * The content of a file, piece by piece, in few buffers that are used again: a piece is good until the next one is asked for. Memory that is
 * new for each piece costs more than to read and send it.
 */
export interface LentPieces extends AsyncIterable<Buffer> {
  readonly lent: true;
  /** Gives up what was not read. Again, or after the end: does nothing. */
  destroy(): void;
}

/**
 * Writes `source` as the body of a stream and ends it with trailers that give its length and sum.
 * The stream must have been opened with `waitForTrailers`. Trailers are sent only when the source came to its own end, so whatever goes
 * wrong before reaches the other side as a stream without them. Rejects with what went wrong; both streams are closed by then.
 * `moved` is called for each piece that the stream has taken.
 */
export async function writeChecked(
  source: Readable | LentPieces,
  stream: Http2Stream,
  options: { check: StreamCheck; signal: AbortSignal; moved?: () => void },
): Promise<void> {
  const sum = sumOf(options.check);
  let length = 0;
  let complete = false;
  const count = (chunk: Buffer): void => {
    sum.update(chunk);
    length += chunk.length;
    options.moved?.();
  };
  const counting = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      count(chunk);
      done(null, chunk);
    },
    flush(done) {
      complete = true;
      done();
    },
  });
  stream.on("wantTrailers", () => {
    if (complete)
      stream.sendTrailers({ [TRAILER_LENGTH]: length, [CHECK_TRAILERS[options.check]]: sum.digest() });
    else stream.destroy();
  });
  try {
    if ("lent" in source) {
      await writeLent(source, stream, { count, signal: options.signal });
      complete = true;
      await pipeline(Readable.from([]), stream, { signal: options.signal });
    } else await pipeline(source, counting, stream, { signal: options.signal });
  } catch (error) {
    // The other side may close the stream as soon as it has the trailers; all that mattered had arrived by then.
    if (stream.sentTrailers === undefined) throw error;
  }
}

/** Writes the pieces but not the end, each taken before the next one is asked for. What goes wrong destroys both sides. */
async function writeLent(
  source: LentPieces,
  stream: Http2Stream,
  { count, signal }: { count: (piece: Buffer) => void; signal: AbortSignal },
): Promise<void> {
  const closed = Promise.withResolvers<never>();
  closed.promise.catch(() => undefined);
  const onClose = (): void => closed.reject(cut("the other side dropped it"));
  stream.once("close", onClose);
  try {
    for await (const piece of source) {
      signal.throwIfAborted();
      count(piece);
      const taken = Promise.withResolvers<void>();
      stream.write(piece, (error) => (error ? taken.reject(error) : taken.resolve()));
      await Promise.race([taken.promise, closed.promise]);
    }
  } catch (error) {
    stream.destroy();
    throw error;
  } finally {
    stream.off("close", onClose);
    source.destroy();
  }
}

/** The trailers of a stream, null until they have come. */
export type Trailers = { received: IncomingHttpHeaders | null };

/** Listens for the trailers of a stream. Must be called in the turn in which the stream appears, or they can be missed. */
export function trailersOf(stream: Http2Stream): Trailers {
  const trailers: Trailers = { received: null };
  stream.once("trailers", (received: IncomingHttpHeaders) => {
    trailers.received = received;
  });
  return trailers;
}

/**
 * The body of a stream that `writeChecked` wrote, checked. It errors, and never just ends, when the stream was cut short
 * (AppError `link_lost`) or is longer than `max_bytes` or differs from its trailers (`protocol_violated`).
 * Destroying it leaves the stream to the caller, who may still have an answer to give on it.
 */
export function readChecked(
  stream: Http2Stream,
  trailers: Trailers,
  options: { check: StreamCheck; max_bytes: number; stall_timeout_ms?: number; signal?: AbortSignal },
): Readable {
  const sum = sumOf(options.check);
  const stall_timeout_ms = options.stall_timeout_ms ?? STALL_TIMEOUT_MS;
  let length = 0;
  const checked = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      stall.refresh();
      sum.update(chunk);
      length += chunk.length;
      if (length > options.max_bytes) done(tooLong(options.max_bytes));
      else done(null, chunk);
    },
    flush(done) {
      // The end of the body may be told one turn before the trailers that came with it.
      setImmediate(() => done(verdict(trailers.received, length, options.check, sum.digest())));
    },
    destroy(error, done) {
      clearTimeout(stall);
      done(error);
    },
  });
  const stall = setTimeout(() => {
    const readerIsSlow = checked.readableLength > 0 || checked.writableNeedDrain;
    if (readerIsSlow) stall.refresh();
    else checked.destroy(cut(`no byte came for ${stall_timeout_ms} ms`));
  }, stall_timeout_ms);
  const { signal } = options;
  const onAbort = (): void => {
    checked.destroy(signal?.reason instanceof Error ? signal.reason : cut("it was aborted"));
  };
  signal?.addEventListener("abort", onAbort, { once: true });
  checked.once("close", () => {
    signal?.removeEventListener("abort", onAbort);
  });
  stream.once("error", (error) => checked.destroy(cut(error.message, error)));
  stream.once("aborted", () => checked.destroy(cut("the other side dropped it")));
  stream.once("close", () => {
    if (!stream.readableEnded) checked.destroy(cut("the connection was closed"));
  });
  if (signal?.aborted === true) onAbort();
  else if (stream.destroyed && !stream.readableEnded)
    checked.destroy(cut("it was closed before it was read"));
  else stream.pipe(checked);
  return checked;
}

/** Reads a body to its end, at most `max_bytes`; throws AppError `body_too_large` for more, `link_lost` for a stream that was reset. */
export async function readBounded(stream: AsyncIterable<unknown>, max_bytes: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  try {
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      length += chunk.length;
      if (length > max_bytes) {
        throw new AppError({
          code: "body_too_large",
          message: `The body is larger than ${max_bytes} bytes.`,
        });
      }
      chunks.push(chunk);
    }
  } catch (error) {
    throw error instanceof AppError ? error : cut("its connection broke", error);
  }
  return Buffer.concat(chunks);
}

function verdict(
  trailers: IncomingHttpHeaders | null,
  length: number,
  check: StreamCheck,
  sum: string,
): AppError | null {
  if (trailers === null) return cut("it ended without its trailers");
  if (trailers[TRAILER_LENGTH] === String(length) && trailers[CHECK_TRAILERS[check]] === sum) return null;
  return new AppError({
    code: "protocol_violated",
    message: `A stream of ${length} bytes differs from the length or sum in its trailers.`,
  });
}

function tooLong(max_bytes: number): AppError {
  return new AppError({
    code: "protocol_violated",
    message: `A stream is longer than the ${max_bytes} bytes that were asked for.`,
  });
}

function cut(why: string, cause?: unknown): AppError {
  return new AppError({ code: "link_lost", message: `A stream of the link was cut short: ${why}.`, cause });
}
