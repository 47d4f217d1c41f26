import { randomUUID } from "node:crypto";
import { type FileHandle, mkdir, open, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";

const WRITE_BUFFER_BYTES = 256 * 1024;

/** A private folder for what is not complete yet; leaving its scope removes it with everything in it. */
export type Workbench = { path: string } & AsyncDisposable;

export async function openWorkbench(parent: string): Promise<Workbench> {
  const path = join(parent, randomUUID());
  await mkdir(path, { recursive: true, mode: 0o700 });
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

/** A new file that collects small writes. Not visible under its final name before `publish`. */
export class NewFile implements AsyncDisposable {
  readonly path: string;
  readonly #handle: FileHandle;
  #pending: Buffer[] = [];
  #pending_bytes = 0;
  #open = true;

  private constructor(path: string, handle: FileHandle) {
    this.path = path;
    this.#handle = handle;
  }

  static async create(path: string): Promise<NewFile> {
    return new NewFile(path, await open(path, "wx", 0o600));
  }

  async write(chunk: Buffer): Promise<void> {
    this.#pending.push(chunk);
    this.#pending_bytes += chunk.length;
    if (this.#pending_bytes >= WRITE_BUFFER_BYTES) await this.flush();
  }

  async flush(): Promise<void> {
    const [first, ...more] = this.#pending;
    if (first === undefined) return;
    const bytes = more.length === 0 ? first : Buffer.concat(this.#pending, this.#pending_bytes);
    this.#pending = [];
    this.#pending_bytes = 0;
    await this.#handle.appendFile(bytes);
  }

  /** Everything is on the disk when this resolves. */
  async finish(): Promise<void> {
    await this.flush();
    await this.#handle.sync();
    await this[Symbol.asyncDispose]();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#open) return;
    this.#open = false;
    await this.#handle.close();
  }
}

/** Gives a finished file its name, replacing what had it, and makes that last through a power cut. */
export async function publish(from: string, to: string): Promise<void> {
  await mkdir(dirname(to), { recursive: true, mode: 0o700 });
  await rename(from, to);
  await syncFolder(dirname(to));
  await syncFolder(dirname(dirname(to)));
}

async function syncFolder(path: string): Promise<void> {
  const handle = await open(path, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

export async function writeNewFile(
  path: string,
  chunks: AsyncIterable<Buffer> | Iterable<Buffer>,
): Promise<void> {
  await using file = await NewFile.create(path);
  for await (const chunk of chunks) await file.write(chunk);
  await file.finish();
}
