import { constants } from "node:fs";
import { lstat, mkdir, open, readdir, rename, rm, rmdir, symlink, unlink } from "node:fs/promises";
import path from "node:path";
import { AppError } from "../contract/errors.ts";
import { isSafePath } from "./changes-patch.ts";
import { staysInside } from "./folder-listing.ts";
import { isSameState, type PathState, pathState } from "./folder-state.ts";
import { type FileMode, type MergeRepository, type TreeChange, temporaryName } from "./merge-repository.ts";

const LINK_TARGET_MAX_BYTES = 4096;

export type WriteOptions = {
  folder: string;
  repository: MergeRepository;
  changes: TreeChange[];
  /** What stood at the paths when they were read for the merge. */
  before: Map<string, PathState>;
};

/**
 * Brings changes of a merge into the folder. Everything is made ready beside first, then checked once more against
 * what the merge has read, and only then moved into place; so what fails, fails with nothing written.
 * Returns what was left out, as sentences. Throws `conflict`.
 */
export async function writeChanges(options: WriteOptions): Promise<string[]> {
  const { folder, changes } = options;
  const staging = path.join(folder, temporaryName());
  await mkdir(staging, { mode: 0o700 });
  try {
    const left_out: string[] = [];
    const staged: { change: TreeChange; file: string }[] = [];
    for (const [index, change] of changes.entries()) {
      if (!isSafePath(change.path)) throw refused(`the path ${JSON.stringify(change.path)} is not safe`);
      if (change.oid === null || change.mode === null) continue;
      const file = path.join(staging, String(index));
      const why = await stage(options, { path: change.path, oid: change.oid, mode: change.mode }, file);
      if (why === null) staged.push({ change, file });
      else left_out.push(why);
    }
    const deleted = changes.filter((change) => change.kind === "deleted").map((change) => change.path);
    await checkUnchanged(options, deleted);
    for (const name of deleted) {
      await unlink(path.join(folder, name)).catch(ignore("ENOENT", "ENOTDIR"));
      await removeEmptyParents(folder, name);
    }
    for (const { change, file } of staged) await place(folder, change.path, file);
    return left_out;
  } finally {
    await rm(staging, { recursive: true, force: true });
  }
}

/** Makes a file or link ready under a temporary name; returns a sentence when it must not be made. */
async function stage(
  options: WriteOptions,
  wanted: { path: string; oid: string; mode: FileMode },
  file: string,
): Promise<string | null> {
  if (wanted.mode === "120000") {
    const target = await options.repository.readBlob(wanted.oid, LINK_TARGET_MAX_BYTES);
    if (!staysInside(wanted.path, target))
      return `left out ${wanted.path}: a link that leaves the folder (${target})`;
    await symlink(target, file);
    return null;
  }
  const executable = wanted.mode === "100755";
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL;
  const handle = await open(file, flags, executable ? 0o777 : 0o666);
  try {
    await options.repository.writeBlob(wanted.oid, handle.fd);
    const before = options.before.get(wanted.path);
    if (before?.kind === "file") await handle.chmod(permissions(before.stats.mode & 0o7777, executable));
    await handle.sync();
  } finally {
    await handle.close();
  }
  return null;
}

/** The permissions a file had, with execution for all who may read it, or for nobody. */
function permissions(mode: number, executable: boolean): number {
  return executable ? mode | ((mode & 0o444) >> 2) : mode & ~0o111;
}

async function checkUnchanged(options: WriteOptions, deleted: string[]): Promise<void> {
  const { folder, changes, before } = options;
  const gone = new Set(deleted);
  const touched = (name: string) =>
    name.endsWith("/") ? deleted.some((path) => path.startsWith(name)) : gone.has(name);
  for (const change of changes) {
    const now = await pathState(folder, change.path, touched);
    if (now.kind === "obstacle") throw refused(now.why);
    const was = before.get(change.path) ?? { kind: "absent" };
    if (!isSameState(was, now)) throw refused(`${change.path} exists or has changed meanwhile`);
    if (change.kind !== "deleted") await checkFolderGoes(folder, change.path, gone);
  }
}

/** Where a file takes the place of a folder, all files of that folder must be among the deleted ones. */
async function checkFolderGoes(folder: string, name: string, gone: ReadonlySet<string>): Promise<void> {
  const stats = await lstat(path.join(folder, name)).catch(() => null);
  if (!stats?.isDirectory()) return;
  for (const entry of await readdir(path.join(folder, name), { withFileTypes: true, recursive: true })) {
    const below = path.relative(folder, path.join(entry.parentPath, entry.name)).split(path.sep).join("/");
    if (!entry.isDirectory() && !gone.has(below))
      throw refused(`${below} stands where the job has the file ${name}`);
  }
}

async function place(folder: string, name: string, file: string): Promise<void> {
  const parts = name.split("/");
  for (let depth = 1; depth < parts.length; depth += 1) {
    const parent = path.join(folder, ...parts.slice(0, depth));
    await mkdir(parent).catch(ignore("EEXIST"));
    if (!(await lstat(parent)).isDirectory())
      throw refused(`${parts.slice(0, depth).join("/")} is no folder any more`);
  }
  const target = path.join(folder, name);
  const stats = await lstat(target).catch(() => null);
  if (stats?.isDirectory()) await removeEmptyFolders(target);
  await rename(file, target);
}

/** Folders that a deletion has emptied go too, as git does it, but never the folder itself. */
async function removeEmptyParents(folder: string, name: string): Promise<void> {
  for (let parent = path.dirname(name); parent !== "."; parent = path.dirname(parent)) {
    try {
      await rmdir(path.join(folder, parent));
    } catch {
      return; // Not empty, or gone: either way there is nothing more to remove above it.
    }
  }
}

async function removeEmptyFolders(folder: string): Promise<void> {
  for (const entry of await readdir(folder)) await removeEmptyFolders(path.join(folder, entry));
  await rmdir(folder);
}

function ignore(...codes: string[]): (error: unknown) => void {
  return (error) => {
    if (!(error instanceof Error && "code" in error && codes.includes(String(error.code)))) throw error;
  };
}

function refused(why: string): AppError {
  return new AppError({ code: "conflict", message: `Nothing was written: ${why}.` });
}
