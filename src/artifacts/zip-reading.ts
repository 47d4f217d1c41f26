import { type FileHandle, open } from "node:fs/promises";
import { Readable } from "node:stream";
import {
  type Entry,
  fromRandomAccessReaderPromise,
  getFileNameLowLevel,
  RandomAccessReader,
  type ZipFile,
} from "yauzl";
import { AppError } from "../contract/errors.ts";
import { FILES_LISTED_MAX } from "../contract/link.ts";
import type { FileEntry, FileList } from "../contract/link-answers.ts";
import { asBuffer } from "./read-chunks.ts";
import { judgePath, printable } from "./safe-path.ts";

/** The list of entries is read through a window of this size, as each entry takes two small reads. */
const WINDOW_BYTES = 256 * 1024;
const TYPE_MASK = 0o170000;
const SYMLINK_TYPE = 0o120000;
const IMPLIED_FOLDER_MODE = 0o755;

/**
 * One folder of a ZIP that this system wrote ("" is the root). Symlinks are listed as such and not followed; `size_bytes` of a symlink is the
 * length of its target. Throws AppError `invalid_path`, or `not_found` when no such folder is in it.
 */
export async function listFolder(zip_path: string, folder: string): Promise<FileList> {
  const path = folder === "" || folder === "." || folder === "/" ? "" : judged(folder);
  const prefix = path === "" ? "" : `${path}/`;
  const entries = new Map<string, FileEntry>();
  let found = path === "";
  await using zip = await openZip(zip_path);
  for await (const entry of zip.file.eachEntry()) {
    const name = nameOf(entry);
    if (!name.startsWith(prefix)) continue;
    found = true;
    const rest = name.slice(prefix.length);
    const end = rest.indexOf("/");
    if (rest === "") continue;
    if (end === -1 || end === rest.length - 1) {
      const listed = describe(entry);
      entries.set(listed.path, listed);
    } else if (!entries.has(prefix + rest.slice(0, end)))
      entries.set(prefix + rest.slice(0, end), {
        path: prefix + rest.slice(0, end),
        type: "folder",
        size_bytes: 0,
        modified_at: entry.getLastModDate().toISOString(),
        mode: IMPLIED_FOLDER_MODE,
      });
  }
  if (!found) throw notFound(folder, "is no folder of the job's files");
  const sorted = [...entries.values()].sort((a, b) => (a.path < b.path ? -1 : 1));
  return { path, entries: sorted.slice(0, FILES_LISTED_MAX), truncated: sorted.length > FILES_LISTED_MAX };
}

/**
 * One file of a ZIP that this system wrote; `range` is start to end, inclusive. Throws AppError `invalid_path`, `not_found` (also for folders
 * and symlinks, which are not followed) or `range_not_satisfiable`.
 */
export async function readFile(
  zip_path: string,
  file: string,
  range: { start: number; end: number } | null,
): Promise<{ size_bytes: number; content: Readable }> {
  const path = judged(file);
  await using zip = await openZip(zip_path);
  for await (const entry of zip.file.eachEntry()) {
    const name = nameOf(entry);
    if (name === `${path}/`) throw notFound(file, "is a folder");
    if (name !== path) continue;
    if (describe(entry).type === "symlink") throw notFound(file, "is a symlink, which is not followed");
    const size_bytes = entry.uncompressedSize;
    if (range !== null && (range.start < 0 || range.start > range.end || range.start >= size_bytes))
      throw new AppError({
        code: "range_not_satisfiable",
        message: `The range lies outside "${printable(file)}", which has ${size_bytes} bytes.`,
      });
    const content = await zip.file.openReadStreamPromise(entry);
    if (range === null) return { size_bytes, content };
    return { size_bytes, content: Readable.from(slice(content, range), { objectMode: false }) };
  }
  throw notFound(file, "is no file of the job");
}

async function* slice(content: Readable, range: { start: number; end: number }): AsyncGenerator<Buffer> {
  let at = 0;
  for await (const piece of content) {
    const chunk = asBuffer(piece);
    const part = chunk.subarray(Math.max(0, range.start - at), Math.max(0, range.end + 1 - at));
    at += chunk.length;
    if (part.length > 0) yield part;
    if (at > range.end) return;
  }
}

export function describe(entry: Entry): FileEntry {
  const mode = entry.externalFileAttributes >>> 16;
  const name = nameOf(entry);
  const folder = name.endsWith("/");
  return {
    path: folder ? name.slice(0, -1) : name,
    type: folder ? "folder" : (mode & TYPE_MASK) === SYMLINK_TYPE ? "symlink" : "file",
    size_bytes: entry.uncompressedSize,
    modified_at: entry.getLastModDate().toISOString(),
    mode: mode & 0o7777,
  };
}

export function nameOf(entry: Entry): string {
  return getFileNameLowLevel(entry.generalPurposeBitFlag, entry.fileNameRaw, entry.extraFields, true);
}

export function judged(raw: string): string {
  const verdict = judgePath(raw);
  if ("path" in verdict) return verdict.path;
  throw new AppError({
    code: "invalid_path",
    message: `The path "${printable(raw)}" ${verdict.problem}.`,
    hint: "Give a path relative to the workspace, with / between names.",
  });
}

export function notFound(path: string, what: string): AppError {
  return new AppError({ code: "not_found", message: `"${printable(path)}" ${what}.` });
}

export async function openZip(path: string): Promise<{ file: ZipFile } & AsyncDisposable> {
  const handle = await open(path, "r");
  try {
    const { size } = await handle.stat();
    const reader = new WindowReader(handle);
    const options = { autoClose: false, decodeStrings: false };
    const file = await fromRandomAccessReaderPromise(reader, size, options);
    // Streams that were opened before hold the handle until they end.
    return { file, [Symbol.asyncDispose]: async () => file.close() };
  } catch (error) {
    await handle.close();
    throw error;
  }
}

class WindowReader extends RandomAccessReader {
  readonly #handle: FileHandle;
  #window = Buffer.alloc(0);
  #window_start = 0;

  constructor(handle: FileHandle) {
    super();
    this.#handle = handle;
  }

  override _readStreamForRange(start: number, end: number): Readable {
    return Readable.from(this.#chunks(start, end), { objectMode: false });
  }

  override read(
    buffer: Buffer,
    offset: number,
    length: number,
    position: number,
    callback: (error: Error | null, bytes_read?: number) => void,
  ): void {
    this.#fill(buffer.subarray(offset, offset + length), position).then(
      (bytes_read) => callback(null, bytes_read),
      (error: Error) => callback(error),
    );
  }

  override close(callback: (error: Error | null) => void): void {
    this.#handle.close().then(
      () => callback(null),
      (error: Error) => callback(error),
    );
  }

  async #fill(target: Buffer, position: number): Promise<number> {
    const from = position - this.#window_start;
    if (from >= 0 && from + target.length <= this.#window.length)
      return this.#window.copy(target, 0, from, from + target.length);
    const window = Buffer.alloc(Math.max(WINDOW_BYTES, target.length));
    const { bytesRead } = await this.#handle.read(window, 0, window.length, position);
    this.#window = window.subarray(0, bytesRead);
    this.#window_start = position;
    return this.#window.copy(target, 0, 0, Math.min(target.length, bytesRead));
  }

  async *#chunks(start: number, end: number): AsyncGenerator<Buffer> {
    let at = start;
    while (at < end) {
      const chunk = Buffer.alloc(Math.min(WINDOW_BYTES, end - at));
      const { bytesRead } = await this.#handle.read(chunk, 0, chunk.length, at);
      if (bytesRead === 0) return;
      at += bytesRead;
      yield chunk.subarray(0, bytesRead);
    }
  }
}
