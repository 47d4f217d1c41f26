import { constants } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";

/** Finds a place without opening what is there, which can have effects; Linux's flag of open(2), which Node has no name for. */
const O_PATH = 0o10000000;
const { O_DIRECTORY, O_NOFOLLOW, O_RDONLY, O_NONBLOCK } = constants;
const SLASH = 0x2f;

/** Names are bytes: one that is no UTF-8 must still be found again. */
type Path = string | Buffer;

/**
 * Opens the folder at a real path below `base` (itself included) one name after the other, each in the folder that the one before led to:
 * whatever the job swaps meanwhile, no symlink is followed and nothing beyond `base` is reached. `base` is where the job's volume is mounted,
 * which the job cannot swap. Rejects with errors of the file system: ENOENT, and ENOTDIR for a symlink too.
 */
export async function openFolder(base: string, real: Path): Promise<FileHandle> {
  let at = await open(base, O_PATH | O_DIRECTORY | O_NOFOLLOW);
  try {
    for (const name of namesBelow(base, real)) {
      const next = await open(inFolder(at, name), O_PATH | O_DIRECTORY | O_NOFOLLOW);
      await at.close();
      at = next;
    }
    return at;
  } catch (error) {
    await at.close();
    throw error;
  }
}

/** Opens the regular file at a real path below `base` to read it, as safely as openFolder; null for what is none, which is not opened. */
export async function openFile(base: string, real: Path): Promise<FileHandle | null> {
  const names = namesBelow(base, real);
  const name = names.at(-1);
  if (name === undefined) return null;
  await using folder = await openFolder(base, bytes(real).subarray(0, -name.length - 1));
  await using found = await open(inFolder(folder, name), O_PATH | O_NOFOLLOW);
  if (!(await found.stat()).isFile()) return null;
  return await open(ofHandle(found), O_RDONLY | O_NONBLOCK);
}

/** A path to `name` in an open folder, as it is at this moment, and never one of another folder. */
export function inFolder(folder: FileHandle, name: Path): Buffer {
  return Buffer.concat([Buffer.from(`${ofHandle(folder)}/`), bytes(name)]);
}

/** A path to what is open, wherever it lies by now. */
export function ofHandle(handle: FileHandle): string {
  return `/proc/self/fd/${handle.fd}`;
}

function namesBelow(base: string, real: Path): Buffer[] {
  const [outer, path] = [bytes(base), bytes(real)];
  if (path.equals(outer)) return [];
  if (path.length <= outer.length + 1 || path[outer.length] !== SLASH || path.indexOf(outer) !== 0)
    throw Object.assign(new Error(`${real} is not below ${base}`), { code: "ENOTDIR" });
  const names: Buffer[] = [];
  for (let start = outer.length + 1; start <= path.length; ) {
    const slash = path.indexOf(SLASH, start);
    const end = slash < 0 ? path.length : slash;
    names.push(path.subarray(start, end));
    start = end + 1;
  }
  return names;
}

function bytes(path: Path): Buffer {
  return typeof path === "string" ? Buffer.from(path) : path;
}
