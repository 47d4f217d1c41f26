import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { lstat, readdir, readFile, readlink } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { type Pack, pack } from "tar-stream";
import { AppError } from "../contract/errors.ts";

const FILES_MAX = 5000;
const FOLDER_BYTES_MAX = 256 * 1024 * 1024;
/** Headers of OpenSSL for processors and systems that no sandbox has; they are half of what Node's package would add. */
const LEFT_OUT = /\/include\/node\/openssl\/archs\/(?!linux-(x86_64|aarch64)(\/|$))|\/CHANGELOG\.md$/;

export type ContextFile = { path: string; executable: boolean; content: Uint8Array };

/** Lists the files of a build folder with size and time of change: a fingerprint that costs no reading. Throws AppError `image_build_failed`. */
export async function statFolder(folder: string): Promise<string[]> {
  const found: string[] = [];
  let bytes = 0;
  for (const path of await listFolder(folder)) {
    const status = await lstat(join(folder, path));
    bytes += status.size;
    found.push(`${path}\0${status.mode}\0${status.size}\0${status.mtimeMs}\0${status.ino}`);
  }
  if (bytes > FOLDER_BYTES_MAX) {
    throw new AppError({
      code: "image_build_failed",
      message: `The build folder ${folder} holds more than 256 MiB.`,
      hint: "Move what the image does not need out of it.",
    });
  }
  return found;
}

/** Reads all files of a build folder, in a fixed order. */
export async function readFolder(folder: string): Promise<ContextFile[]> {
  const files: ContextFile[] = [];
  for (const path of await listFolder(folder)) {
    const absolute = join(folder, path);
    const { mode } = await lstat(absolute);
    files.push({ path, executable: (mode & 0o100) !== 0, content: await readFile(absolute) });
  }
  return files;
}

/** SHA-256 over names, modes and contents, and over whatever else the image is made of. */
export function hashContext(files: readonly ContextFile[], others: readonly string[]): string {
  const hash = createHash("sha256");
  for (const other of others) hash.update(`${other.length}:${other}\n`);
  for (const { path, executable, content } of files) {
    hash.update(`${path}\0${executable}\0${content.byteLength}\n`).update(content);
  }
  return hash.digest("hex");
}

/** The build context as a tar: the files, and under `packages/` those of a folder (null: none), which is streamed. */
export function packContext(files: readonly ContextFile[], packages: string | null): Readable {
  const tar = pack();
  void fill(tar, files, packages).then(
    () => tar.finalize(),
    (error: unknown) => tar.destroy(error instanceof Error ? error : new Error(String(error))),
  );
  return Readable.from(tar, { objectMode: false });
}

async function fill(tar: Pack, files: readonly ContextFile[], packages: string | null): Promise<void> {
  for (const { path, executable, content } of files) {
    tar.entry({ name: path, mode: executable ? 0o755 : 0o644 }, Buffer.from(content));
  }
  if (packages === null) return;
  for await (const path of walk(packages, "")) {
    const name = `packages/${path}`;
    if (LEFT_OUT.test(name)) continue;
    const absolute = join(packages, path);
    const status = await lstat(absolute);
    if (status.isSymbolicLink()) {
      tar.entry({ name, type: "symlink", linkname: await readlink(absolute) });
      continue;
    }
    const mode = status.mode & 0o100 ? 0o755 : 0o644;
    await pipeline(createReadStream(absolute), tar.entry({ name, mode, size: status.size }));
  }
}

async function listFolder(folder: string): Promise<string[]> {
  const paths: string[] = [];
  for await (const path of walk(folder, "")) {
    // Whoever tries packages out in a build folder has them here too; the image gets those that the folder pins.
    if (path.startsWith("node_modules/")) continue;
    if (paths.push(path) > FILES_MAX) {
      throw new AppError({
        code: "image_build_failed",
        message: `The build folder ${folder} holds more than ${FILES_MAX} files.`,
        hint: "Move what the image does not need out of it.",
      });
    }
  }
  return paths;
}

/** Paths of all files and links below a folder, sorted within each folder. */
async function* walk(root: string, below: string): AsyncGenerator<string> {
  const entries = await readdir(join(root, below), { withFileTypes: true });
  entries.sort((a, b) => (a.name < b.name ? -1 : 1));
  for (const entry of entries) {
    const path = below === "" ? entry.name : `${below}/${entry.name}`;
    if (entry.isDirectory()) yield* walk(root, path);
    else if (entry.isFile() || entry.isSymbolicLink()) yield path;
  }
}
