import { createReadStream, type Stats } from "node:fs";
import { lstat, readlink } from "node:fs/promises";
import path from "node:path";
import type { CommitFile } from "./merge-repository.ts";

/** What stands at a path of the user's folder. An obstacle is what a merge cannot go through. */
export type PathState =
  | { kind: "absent" }
  | { kind: "file"; stats: Stats }
  | { kind: "symlink"; stats: Stats; target: string }
  | { kind: "obstacle"; why: string };

/**
 * Looks at a path without following any link in it. `changed` says whether a path is one of those that the merge is
 * about: a file where the path needs a folder, or a folder where it needs a file, may be part of the merge itself.
 */
export async function pathState(
  folder: string,
  name: string,
  changed: (path: string) => boolean,
): Promise<PathState> {
  const parts = name.split("/");
  for (let depth = 1; depth < parts.length; depth += 1) {
    const parent = parts.slice(0, depth).join("/");
    const stats = await look(path.join(folder, parent));
    if (stats === null) return { kind: "absent" };
    if (stats.isDirectory()) continue;
    if (changed(parent)) return { kind: "absent" };
    const what = stats.isSymbolicLink() ? "a symbolic link" : "no folder";
    return { kind: "obstacle", why: `${parent} is ${what}, and the job has files below it` };
  }
  const full = path.join(folder, name);
  const stats = await look(full);
  if (stats === null) return { kind: "absent" };
  if (stats.isSymbolicLink()) return { kind: "symlink", stats, target: await readlink(full) };
  if (stats.isFile()) return { kind: "file", stats };
  if (stats.isDirectory())
    return changed(`${name}/`) ? { kind: "absent" } : { kind: "obstacle", why: `${name} is a folder here` };
  return { kind: "obstacle", why: `${name} is neither a file nor a link` };
}

async function look(full: string): Promise<Stats | null> {
  try {
    return await lstat(full);
  } catch (error) {
    if (error instanceof Error && "code" in error && (error.code === "ENOENT" || error.code === "ENOTDIR"))
      return null;
    throw error;
  }
}

/** Whether a path still is what it was, as far as times and sizes tell. */
export function isSameState(before: PathState, now: PathState): boolean {
  if (before.kind !== now.kind) return false;
  if (before.kind === "absent" || before.kind === "obstacle") return true;
  if (now.kind === "absent" || now.kind === "obstacle") return false;
  return (
    before.stats.mtimeMs === now.stats.mtimeMs &&
    before.stats.ino === now.stats.ino &&
    before.stats.size === now.stats.size &&
    before.stats.mode === now.stats.mode
  );
}

/** The file or link as a commit takes it; null for what is not there. */
export function commitFile(folder: string, name: string, state: PathState): CommitFile | null {
  if (state.kind === "symlink") {
    const target = Buffer.from(state.target);
    const open = async () => one(target);
    return { path: name, mode: "120000", size_bytes: target.length, open };
  }
  if (state.kind !== "file") return null;
  const mode = (state.stats.mode & 0o100) === 0 ? "100644" : "100755";
  const open = async () => createReadStream(path.join(folder, name));
  return { path: name, mode, size_bytes: state.stats.size, open };
}

async function* one(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}
