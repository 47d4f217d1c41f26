import { type Readable, Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { extract, type Header } from "tar-stream";
import { AppError } from "../contract/errors.ts";
import { asBuffer } from "./read-chunks.ts";

const BLOCK_BYTES = 512;
/** A tar ends with two blocks of zeroes. */
const END_BYTES = 2 * BLOCK_BYTES;

/** `kind` "other": devices, hard links, whatever else a tar can hold. `path` and `target` are as untrusted as the tar. */
export type TarEntry = {
  path: string;
  kind: "file" | "folder" | "symlink" | "other";
  mode: number;
  size_bytes: number;
  modified_at: Date;
  target: string;
  content: AsyncIterable<Buffer>;
};

/**
 * The entries of a tar, one at a time; content that is not read is skipped. Errors of `source` come through as they are; a damaged tar, one
 * without its end included, throws what `damaged` makes of the cause. Stopping early destroys `source`.
 */
export async function* readTar(
  source: Readable,
  damaged: (cause: Error) => AppError,
  signal: AbortSignal,
): AsyncGenerator<TarEntry> {
  let source_error: Error | null = null;
  const watched = async function* () {
    try {
      yield* source;
    } catch (error) {
      source_error = error instanceof Error ? error : new Error(String(error));
      throw error;
    }
  };
  const explained = (error: unknown): Error => {
    if (source_error !== null) return source_error;
    if (error instanceof AppError) return error;
    return damaged(error instanceof Error ? error : new Error(String(error)));
  };
  const extraction = extract();
  const end = new EndWatch();
  const feeding = pipeline(watched, end, extraction, { signal });
  // It is awaited below; until then its rejection must not count as unhandled.
  feeding.catch(() => undefined);
  try {
    for await (const entry of extraction) {
      const { header } = entry;
      const size_bytes = header.type === "directory" ? 0 : header.size;
      end.entryEndsAt(offsetOf(header) + Math.ceil(size_bytes / BLOCK_BYTES) * BLOCK_BYTES);
      yield {
        path: header.name,
        kind: kindOf(header),
        mode: header.mode,
        size_bytes,
        modified_at: header.mtime,
        target: header.linkname ?? "",
        content: contentOf(entry, explained),
      };
      entry.resume();
    }
    await feeding;
  } catch (error) {
    signal.throwIfAborted();
    throw explained(error);
  } finally {
    source.destroy();
  }
  signal.throwIfAborted();
  if (!end.seen) throw damaged(new Error("It ends before its end-of-archive mark."));
}

/** Counts what passes, so that a tar cut between two entries is not taken for a whole one. */
class EndWatch extends Transform {
  #bytes = 0;
  #zeroes_at_end = 0;
  #entry_end = 0;

  entryEndsAt(offset: number): void {
    this.#entry_end = offset;
  }

  get seen(): boolean {
    return Math.min(this.#zeroes_at_end, this.#bytes - this.#entry_end) >= END_BYTES;
  }

  override _transform(chunk: Buffer, _encoding: string, done: (error: null, chunk: Buffer) => void): void {
    this.#bytes += chunk.length;
    let zeroes = 0;
    while (zeroes < chunk.length && chunk[chunk.length - 1 - zeroes] === 0) zeroes += 1;
    this.#zeroes_at_end = zeroes === chunk.length ? this.#zeroes_at_end + zeroes : zeroes;
    done(null, chunk);
  }
}

async function* contentOf(
  entry: AsyncIterable<unknown>,
  explained: (error: unknown) => Error,
): AsyncGenerator<Buffer> {
  try {
    for await (const chunk of entry) yield asBuffer(chunk);
  } catch (error) {
    throw explained(error);
  }
}

/** tar-stream gives where an entry's content begins, though its types do not say so. */
function offsetOf(header: Header): number {
  const offset: unknown = "byteOffset" in header ? header.byteOffset : 0;
  return typeof offset === "number" ? offset : 0;
}

function kindOf(header: Header): TarEntry["kind"] {
  switch (header.type) {
    case "file":
    case "contiguous-file":
      return "file";
    case "directory":
      return "folder";
    case "symlink":
      return "symlink";
    default:
      return "other";
  }
}
