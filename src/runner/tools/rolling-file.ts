import { constants } from "node:fs";
import { type FileHandle, mkdir, open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";

/** A file that is this large becomes the older one of two. */
const PART_MAX_BYTES = 4 * 1024 * 1024;

/** The end of an output of any length, on disk: at least the last PART_MAX_BYTES of it, at most twice that. */
export class RollingFile implements AsyncDisposable {
  readonly path: string;
  readonly #part_max_bytes: number;
  #file: FileHandle | null = null;
  /** Where in the whole output the present and the older file begin. */
  #begin = 0;
  #older_begin: number | null = null;
  #end = 0;
  #last: Promise<void> = Promise.resolve();

  constructor(options: { path: string; part_max_bytes?: number }) {
    this.path = options.path;
    this.#part_max_bytes = options.part_max_bytes ?? PART_MAX_BYTES;
  }

  /** How much was written in all. */
  get end(): number {
    return this.#end;
  }

  /** Rejects with errors of the file system. */
  append(chunk: Buffer): Promise<void> {
    const appended = this.#last.then(() => this.#append(chunk));
    this.#last = appended.catch(() => undefined);
    return appended;
  }

  /** What was written from `from` on, at most the last `max_bytes` of it; `begin` is where that begins in the whole output. */
  async read(from: number, max_bytes: number): Promise<{ begin: number; content: Buffer }> {
    await this.#last;
    const begin = Math.max(from, this.#older_begin ?? this.#begin, this.#end - max_bytes);
    const parts: Buffer[] = [];
    if (this.#older_begin !== null && begin < this.#begin)
      parts.push(await readPart(older(this.path), begin - this.#older_begin, this.#begin - begin));
    const start = Math.max(begin, this.#begin);
    if (start < this.#end) parts.push(await readPart(this.path, start - this.#begin, this.#end - start));
    return { begin, content: Buffer.concat(parts) };
  }

  async remove(): Promise<void> {
    await this[Symbol.asyncDispose]();
    for (const path of [this.path, older(this.path)]) await rm(path, { force: true }).catch(() => undefined);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#last;
    await this.#file?.close().catch(() => undefined);
    this.#file = null;
  }

  async #append(chunk: Buffer): Promise<void> {
    if (this.#end - this.#begin >= this.#part_max_bytes) {
      await this.#file?.close();
      this.#file = null;
      await rename(this.path, older(this.path));
      this.#older_begin = this.#begin;
      this.#begin = this.#end;
    }
    this.#file ??= await openNew(this.path);
    await this.#file.write(chunk);
    this.#end += chunk.length;
  }
}

function older(path: string): string {
  return `${path}.1`;
}

/** A file for what a tool prints: never one that a link leads to. */
export async function openNew(path: string): Promise<FileHandle> {
  await mkdir(dirname(path), { recursive: true });
  const { O_WRONLY, O_CREAT, O_TRUNC, O_NOFOLLOW, O_NONBLOCK } = constants;
  return open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_NONBLOCK, 0o644);
}

async function readPart(path: string, position: number, length: number): Promise<Buffer> {
  const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = constants;
  await using file = await open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  const { bytesRead, buffer } = await file.read(Buffer.alloc(length), 0, length, position);
  return buffer.subarray(0, bytesRead);
}
