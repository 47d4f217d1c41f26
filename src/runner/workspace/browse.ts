import { constants, type Dirent, type Stats } from "node:fs";
import { lstat, open, opendir, realpath } from "node:fs/promises";
import { join, relative } from "node:path";
import { Readable } from "node:stream";
import { AppError } from "../../contract/errors.ts";
import { FILES_LISTED_MAX } from "../../contract/link.ts";
import type { FileEntry, FileList } from "../../contract/link-answers.ts";
import { realPathInside } from "./inside.ts";

const LSTATS_AT_ONCE = 64;

/** One folder of the workspace, sorted by name. Throws AppError `invalid_path` or `not_found`. */
export async function listFolder(workspace: string, path: string): Promise<FileList> {
  const real = await realPathInside(workspace, path);
  if (!(await lstat(real)).isDirectory())
    throw new AppError({ code: "not_found", message: `${JSON.stringify(path.slice(0, 200))} is no folder.` });
  const names: string[] = [];
  let truncated = false;
  for await (const entry of (await opendir(real)) as AsyncIterable<Dirent>) {
    truncated = names.length === FILES_LISTED_MAX;
    if (truncated) break;
    names.push(entry.name);
  }
  names.sort();
  const shown = relative(await realpath(workspace), real);
  const entries: FileEntry[] = [];
  for (let start = 0; start < names.length; start += LSTATS_AT_ONCE) {
    const batch = names.slice(start, start + LSTATS_AT_ONCE);
    const stats = await Promise.all(batch.map((name) => lstat(join(real, name)).catch(() => null)));
    for (const [index, name] of batch.entries()) {
      const stat = stats[index] ?? null;
      if (stat !== null) entries.push(entryOf(join(shown, name), stat));
    }
  }
  return { path: shown, entries, truncated };
}

/**
 * A file's bytes, `range` with both ends included. Throws AppError `invalid_path`, `not_found` (also for what is no regular file) or
 * `range_not_satisfiable`. A file that shrinks while it is read makes the stream fail, so that it never passes for the whole.
 */
export async function readWorkspaceFile(
  workspace: string,
  path: string,
  range: { start: number; end: number } | null,
): Promise<{ size_bytes: number; content: Readable }> {
  const real = await realPathInside(workspace, path);
  const missing = new AppError({
    code: "not_found",
    message: `${JSON.stringify(path.slice(0, 200))} is no file that can be read.`,
  });
  const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = constants;
  const file = await open(real, O_RDONLY | O_NOFOLLOW | O_NONBLOCK).catch(() => null);
  if (file === null) throw missing;
  const stat = await file.stat();
  const size_bytes = stat.size;
  const start = range?.start ?? 0;
  const end = Math.min(range?.end ?? size_bytes - 1, size_bytes - 1);
  const satisfiable = range === null || (start <= range.end && start < size_bytes);
  if (!stat.isFile() || !satisfiable) {
    await file.close();
    if (!stat.isFile()) throw missing;
    throw new AppError({ code: "range_not_satisfiable", message: `The file has ${size_bytes} bytes.` });
  }
  if (end < start) {
    await file.close();
    return { size_bytes, content: Readable.from([]) };
  }
  return { size_bytes, content: file.createReadStream({ start, end }) };
}

function entryOf(path: string, stat: Stats): FileEntry {
  const type = stat.isFile()
    ? "file"
    : stat.isDirectory()
      ? "folder"
      : stat.isSymbolicLink()
        ? "symlink"
        : "other";
  return {
    path,
    type,
    size_bytes: stat.size,
    modified_at: stat.mtime.toISOString(),
    mode: stat.mode & 0o7777,
  };
}
