import type { Dirent, Stats } from "node:fs";
import { lstat, opendir, realpath } from "node:fs/promises";
import { join, relative } from "node:path";
import { Readable } from "node:stream";
import type { LentPieces } from "../../contract/checked-stream.ts";
import { AppError } from "../../contract/errors.ts";
import { FILES_LISTED_MAX } from "../../contract/link.ts";
import type { FileEntry, FileList } from "../../contract/link-answers.ts";
import type { FilePlace } from "../handlers.ts";
import { FilePieces } from "./file-pieces.ts";
import { openToRead, RESERVED, type Roots, realPlace, told } from "./inside.ts";

const LSTATS_AT_ONCE = 64;

/** One folder, sorted by name, without what belongs to the runner. Throws AppError as realPlace says. */
export async function listFolder(roots: Roots, place: FilePlace): Promise<FileList> {
  const real = await realPlace(roots, place);
  if (!(await lstat(real)).isDirectory())
    throw new AppError({ code: "not_found", message: `${told(place)} is no folder.` });
  const is_home = real === (await realpath(roots.home));
  const names: string[] = [];
  let truncated = false;
  for await (const entry of (await opendir(real)) as AsyncIterable<Dirent>) {
    truncated = names.length === FILES_LISTED_MAX;
    if (truncated) break;
    if (!is_home || entry.name !== RESERVED) names.push(entry.name);
  }
  names.sort();
  const shown = relative(await realpath(roots[place.root]), real);
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
 * A file's bytes, `range` with both ends included. Throws AppError as realPlace and openToRead say, and `range_not_satisfiable`. A file that
 * shrinks while it is read makes the stream fail, so that it never passes for the whole.
 */
export async function readPlace(
  roots: Roots,
  place: FilePlace,
  range: { start: number; end: number } | null,
): Promise<{ size_bytes: number; content: Readable | LentPieces }> {
  const file = await openToRead(roots, await realPlace(roots, place), place);
  const size_bytes = (await file.stat()).size;
  const start = range?.start ?? 0;
  const end = Math.min(range?.end ?? size_bytes - 1, size_bytes - 1);
  if (range !== null && (start > range.end || start >= size_bytes)) {
    await file.close();
    throw new AppError({ code: "range_not_satisfiable", message: `The file has ${size_bytes} bytes.` });
  }
  if (end < start) {
    await file.close();
    return { size_bytes, content: Readable.from([]) };
  }
  return { size_bytes, content: new FilePieces(file, { start, end }) };
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
