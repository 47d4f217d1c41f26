import { constants, type Stats } from "node:fs";
import { type FileHandle, lstat, open, readdir, readlink } from "node:fs/promises";
import { basename } from "node:path";
import { Readable } from "node:stream";
import { type Header, type Pack, pack } from "tar-stream";
import { ofHandle, openFile, openFolder } from "./unswapped.ts";

const READ_BYTES = 256 * 1024;
/** Holes of sparse files, which a tar carries as zeroes: together at most this, or the tar would be far larger than the disk. */
const HOLES_MAX_BYTES = 128 * 1024 * 1024;
/** The writer of tars keeps 32 bits of the seconds, with their sign: a time beyond becomes a wrong one. */
const TIME_MAX_MS = (2 ** 31 - 1) * 1000;
/** What of a tar's header is known before its content; the rest has defaults. */
type Head = Partial<Header> & Pick<Header, "name">;

const SLASH = Buffer.from("/");

/**
 * A tar of everything below `workspace`: files, folders and symlinks (as they are, not followed) with modes and times. What cannot be packed
 * (sockets, devices, files that cannot be read, files that are nearly all hole) is in it as a FIFO without content, so that the other side
 * can count it. A file that changes its size while it is read is cut or filled with zeroes: its entry has the size that was announced.
 */
export function packWorkspace(workspace: string, signal: AbortSignal): Readable {
  return packing({ base: null, left_out: null }, (packing) => packing.folder(workspace), signal);
}

/**
 * A tar of what is below `folder` but `left_out` in it, as packWorkspace makes it while the job works on: what is swapped meanwhile for a
 * symlink on the way is not followed. `base` as openFolder takes it.
 */
export function packFolder(
  folder: string,
  { base, left_out }: { base: string; left_out: string | null },
  signal: AbortSignal,
): Readable {
  return packing({ base, left_out }, (packing) => packing.folder(folder), signal);
}

/** A tar of one file, under its own name; its holes are not counted, since nobody packs it by accident. */
export function packFile(path: string, { base }: { base: string }, signal: AbortSignal): Readable {
  return packing({ base, left_out: null }, (packing) => packing.file(path), signal);
}

/**
 * `base`: where the tree is, when it may be changed by hostile hands while it is packed; null when nothing else runs. `left_out`: the path of
 * a folder that is passed over.
 */
type PackingOptions = { base: string | null; left_out: string | null };

function packing(
  options: PackingOptions,
  run: (packing: Packing) => Promise<void>,
  signal: AbortSignal,
): Readable {
  const tar = pack();
  const out = Readable.from(tar, { objectMode: false });
  const onAbort = (): void => {
    out.destroy();
  };
  signal.addEventListener("abort", onAbort, { once: true });
  out.once("close", () => {
    signal.removeEventListener("abort", onAbort);
    tar.destroy();
  });
  if (signal.aborted) onAbort();
  else
    run(new Packing(tar, out, options)).catch((error: unknown) => {
      out.destroy(error instanceof Error ? error : new Error(String(error)));
    });
  return out;
}

class Packing {
  readonly #tar: Pack;
  readonly #out: Readable;
  readonly #buffer = Buffer.allocUnsafe(READ_BYTES);
  readonly #base: string | null;
  readonly #left_out_path: Buffer | null;
  #holes_left = HOLES_MAX_BYTES;

  constructor(tar: Pack, out: Readable, { base, left_out }: PackingOptions) {
    this.#tar = tar;
    this.#out = out;
    this.#base = base;
    this.#left_out_path = left_out === null ? null : Buffer.from(left_out);
  }

  async file(path: string): Promise<void> {
    this.#holes_left = Number.POSITIVE_INFINITY;
    await this.#file(Buffer.from(path), basename(path));
    this.#tar.finalize();
  }

  async folder(folder: string): Promise<void> {
    // Names are bytes: one that is no UTF-8 must still be found again.
    const root = Buffer.from(folder);
    const open_folders: { path: Buffer; name: string }[] = [{ path: root, name: "" }];
    for (let next = open_folders.pop(); next !== undefined; next = open_folders.pop()) {
      const { path, name } = next;
      const names = await this.#namesIn(path);
      if (names === null) await this.#leftOut(`${name}.unreadable`);
      for (const each of names ?? []) {
        if (this.#out.destroyed) return;
        if (this.#left_out_path?.equals(Buffer.concat([path, SLASH, each]))) continue;
        const inner = { path: Buffer.concat([path, SLASH, each]), name: `${name}${each.toString()}` };
        if (await this.#add(inner.path, inner.name)) open_folders.push({ ...inner, name: `${inner.name}/` });
      }
    }
    this.#tar.finalize();
  }

  /** True for a folder. */
  async #add(path: Buffer, name: string): Promise<boolean> {
    const stat = await lstat(path).catch(() => null);
    if (stat === null) return false;
    if (stat.isDirectory()) {
      await this.#entry({ ...headerOf(name, stat), type: "directory" });
      return true;
    }
    const linkname = stat.isSymbolicLink() ? await readlink(path).catch(() => null) : null;
    if (linkname !== null) await this.#entry({ ...headerOf(name, stat), type: "symlink", linkname });
    else if (stat.isFile()) await this.#file(path, name);
    else await this.#leftOut(name);
    return false;
  }

  async #file(path: Buffer, name: string): Promise<void> {
    const file = await this.#open(path).catch(() => null);
    if (file === null) return this.#leftOut(name);
    try {
      const stat = await file.stat();
      const hole = Math.max(0, stat.size - stat.blocks * 512);
      const packable = stat.isFile() && hole <= this.#holes_left;
      if (!packable) return await this.#leftOut(name);
      this.#holes_left -= hole;
      await this.#content(file, { ...headerOf(name, stat), type: "file", size: stat.size });
    } finally {
      await file.close();
    }
  }

  #open(path: Buffer): Promise<FileHandle | null> {
    const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = constants;
    if (this.#base === null) return open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    return openFile(this.#base, path);
  }

  /** Null for a folder that cannot be read. */
  async #namesIn(path: Buffer): Promise<Buffer[] | null> {
    try {
      if (this.#base === null) return await sortedNames(path);
      await using folder = await openFolder(this.#base, path);
      return await sortedNames(ofHandle(folder));
    } catch {
      return null;
    }
  }

  async #content(file: FileHandle, header: Head & { size: number }): Promise<void> {
    const done = Promise.withResolvers<void>();
    const entry = this.#tar.entry(header, (error) => (error ? done.reject(error) : done.resolve()));
    // It is awaited below, but may reject before that.
    done.promise.catch(() => undefined);
    let position = 0;
    while (position < header.size && !this.#out.destroyed) {
      const wanted = Math.min(READ_BYTES, header.size - position);
      let { bytesRead } = await file.read(this.#buffer, 0, wanted, position).catch(() => ({ bytesRead: 0 }));
      // The file ended early, or cannot be read here: its announced size is filled.
      if (bytesRead === 0) bytesRead = this.#buffer.fill(0, 0, wanted) && wanted;
      position += bytesRead;
      const room = entry.write(Buffer.from(this.#buffer.subarray(0, bytesRead)));
      if (!room) await this.#room(entry);
    }
    if (this.#out.destroyed) return;
    entry.end(null);
    await this.#unlessClosed(done.promise);
  }

  #room(entry: { once(event: "drain", listener: () => void): unknown }): Promise<void> {
    return this.#unlessClosed(new Promise<void>((resolve) => entry.once("drain", () => resolve())));
  }

  /** Also resolves when nobody reads the tar any more. */
  async #unlessClosed(promise: Promise<void>): Promise<void> {
    const closed = Promise.withResolvers<void>();
    const onClose = (): void => closed.resolve();
    this.#out.once("close", onClose);
    if (this.#out.destroyed) onClose();
    await Promise.race([promise, closed.promise]);
    this.#out.off("close", onClose);
  }

  async #leftOut(name: string): Promise<void> {
    await this.#entry({ name, type: "fifo", mode: 0o600, size: 0 });
  }

  async #entry(header: Head): Promise<void> {
    const done = Promise.withResolvers<void>();
    this.#tar.entry(header, (error) => (error ? done.reject(error) : done.resolve()));
    await this.#unlessClosed(done.promise);
  }
}

async function sortedNames(path: string | Buffer): Promise<Buffer[]> {
  return (await readdir(path, { encoding: "buffer" })).sort(Buffer.compare);
}

function headerOf(name: string, stat: Stats): Head {
  const mtime = new Date(Math.min(Math.max(stat.mtimeMs, 0), TIME_MAX_MS));
  return { name, mode: stat.mode & 0o7777, mtime, uid: 1000, gid: 1000 };
}
