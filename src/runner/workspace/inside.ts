import { type FileHandle, lstat, mkdir, realpath } from "node:fs/promises";
import { basename, dirname, isAbsolute, join, normalize } from "node:path";
import { AppError } from "../../contract/errors.ts";
import type { FileRoot } from "../../contract/surfaces.ts";
import type { FilePlace } from "../handlers.ts";
import { openFile, openFolder } from "./unswapped.ts";

/** The folders that people reach, absolute. */
export type Roots = Record<FileRoot, string>;

/**
 * Below home it is the runner's own (state of the agent, tokens of services) and nobody's to read or write; below the workspace it is what
 * Sealwork tells of the job, for people to read only.
 */
export const RESERVED = ".sealwork";
/** What is said of a path whose names were others a moment ago. */
const GONE = ["ENOENT", "ENOTDIR"] as const;

/** Something to be made, replaced or taken away: a name in a real folder, which lies below `base`, as openFolder takes it. */
export type Spot = { base: string; folder: string; path: string };

/**
 * The real path of something that is there, every symlink resolved. Throws AppError `invalid_path` when it leaves its root, by its names or by
 * a symlink, or belongs to the runner, and `not_found` when nothing is there.
 */
export async function realPlace(roots: Roots, place: FilePlace): Promise<string> {
  const { root } = await realRoot(roots, place);
  const given = join(root, relativePath(place));
  const real = await realpath(given).catch((cause: unknown) => {
    throw missing(place, cause);
  });
  if (!isBelow(root, real)) throw leaving(place);
  if (isBelow(join(await realpath(roots.home), RESERVED), real)) throw ofRunner(place);
  return real;
}

/**
 * Where something is to change. Its own name is not followed if it is a symlink. Throws AppError `invalid_path` for a root itself, and for what
 * leaves its root or is reserved; `not_found` when its folder is missing, which `make_folders` makes instead.
 */
export async function spotToChange(
  roots: Roots,
  place: FilePlace,
  options: { make_folders: boolean },
): Promise<Spot> {
  const path = relativePath(place);
  const { root, home } = await realRoot(roots, place);
  const outer = join(root, dirname(path));
  const kept = await nearestPlace(outer);
  await refuseReserved(roots, place, { root, real: join(kept.real, ...kept.missing) });
  if (kept.missing.length > 0) {
    if (!options.make_folders) throw missing(place);
    await mkdir(join(kept.real, ...kept.missing), { recursive: true }).catch((cause: unknown) => {
      throw isCode(cause, "EEXIST", "ENOTDIR", "ENOENT") ? noFolder(place) : explained(cause, place);
    });
  }
  const folder = await realpath(outer).catch(unlessSwapped(place));
  if (!(await lstat(folder).catch(unlessSwapped(place))).isDirectory()) throw noFolder(place);
  const spot = { base: home, folder, path: join(folder, basename(path)) };
  await refuseReserved(roots, place, { root, real: spot.path });
  if (path === "." || spot.path === (await realpath(roots.workspace)))
    throw invalid(place, "is a root of the job's files, which stays where it is");
  return spot;
}

/**
 * Opens a regular file at a real path to read it. What was put in its place, or in the place of a folder above it, since the path was
 * resolved is not taken for it. Throws AppError `not_found` for what is no regular file.
 */
export async function openToRead(roots: Roots, real: string, place: FilePlace): Promise<FileHandle> {
  const file = await openFile(await realpath(roots.home), real).catch((cause: unknown) => {
    throw isCode(cause, ...GONE) ? swapped(place, cause) : noFile(place, cause);
  });
  if (file === null) throw noFile(place);
  return file;
}

/** Opens the folder of a spot to make something in it, as safely as `openToRead`. Rejects with errors of the file system too. */
export async function openSpot({ base, folder }: Spot, place: FilePlace): Promise<FileHandle> {
  return openFolder(base, folder).catch(unlessSwapped(place));
}

export function isBelow(root: string, path: string): boolean {
  return path === root || path.startsWith(`${root}/`);
}

/** An error of the file system, as AppError where it is one that people can do something about. */
export function explained(error: unknown, place: FilePlace): unknown {
  if (isCode(error, "ENOSPC", "EDQUOT")) return diskFull(error);
  if (isCode(error, ...GONE)) return swapped(place, error);
  if (isCode(error, "ENAMETOOLONG")) return invalid(place, "has a name that is too long");
  if (isCode(error, "EACCES", "EPERM"))
    return new AppError({
      code: "conflict",
      message: `The folder of ${told(place)} does not let it be changed.`,
      cause: error,
    });
  return error;
}

export function diskFull(cause?: unknown): AppError {
  return new AppError({
    code: "disk_full",
    message: "The job has no room for it: its disk is full, or would be over its limit.",
    cause,
  });
}

export function isCode(error: unknown, ...codes: string[]): boolean {
  return error instanceof Error && "code" in error && codes.includes(String(error.code));
}

/** A place in a message. */
export function told({ root, path }: FilePlace): string {
  const shown = path.length > 200 ? `${path.slice(0, 200)}…` : path;
  return JSON.stringify(root === "home" ? `~/${shown}` : shown);
}

/** Normalized; "." for the root itself. */
function relativePath(place: FilePlace): string {
  const { path } = place;
  const normal = normalize(path).replace(/\/+$/, "") || ".";
  if (isAbsolute(path) || path.includes("\0") || normal.split("/")[0] === "..") throw leaving(place);
  return normal;
}

/** The real folders of a place. Throws AppError `invalid_path` when the job has put a symlink in the place of its workspace that leaves home. */
async function realRoot(roots: Roots, place: FilePlace): Promise<{ root: string; home: string }> {
  const [root, home] = await Promise.all([realpath(roots[place.root]), realpath(roots.home)]);
  if (!isBelow(home, root)) throw leaving({ ...place, root: "home" });
  return { root, home };
}

/** The deepest that is there on the way, resolved, and the names below it that are not. */
async function nearestPlace(path: string): Promise<{ real: string; missing: string[] }> {
  const missing: string[] = [];
  for (let at = path; ; at = dirname(at)) {
    const real = await realpath(at).catch(() => null);
    if (real !== null) return { real, missing };
    missing.unshift(basename(at));
  }
}

async function refuseReserved(
  roots: Roots,
  place: FilePlace,
  { root, real }: { root: string; real: string },
): Promise<void> {
  if (!isBelow(root, real)) throw leaving(place);
  if (isBelow(join(await realpath(roots.home), RESERVED), real)) throw ofRunner(place);
  if (isBelow(join(await realpath(roots.workspace), RESERVED), real))
    throw invalid(place, `is reserved: what is in the workspace's ${RESERVED} can only be read`);
}

function unlessSwapped(place: FilePlace): (cause: unknown) => never {
  return (cause) => {
    throw isCode(cause, ...GONE) ? swapped(place, cause) : cause;
  };
}

function swapped(place: FilePlace, cause?: unknown): AppError {
  return new AppError({
    code: "conflict",
    message: `What is at ${told(place)} was changed at this moment; try again.`,
    cause,
  });
}

function leaving(place: FilePlace): AppError {
  return invalid(place, `leaves ${place.root === "home" ? "the home folder" : "the workspace"}`);
}

function ofRunner(place: FilePlace): AppError {
  return invalid(place, `leads to Sealwork's own files in ~/${RESERVED}`);
}

function invalid(place: FilePlace, why: string): AppError {
  return new AppError({ code: "invalid_path", message: `The path ${told(place)} ${why}.` });
}

function missing(place: FilePlace, cause?: unknown): AppError {
  const where = place.root === "home" ? "home folder" : "workspace";
  return new AppError({ code: "not_found", message: `There is no ${told(place)} in the ${where}.`, cause });
}

function noFile(place: FilePlace, cause?: unknown): AppError {
  return new AppError({ code: "not_found", message: `${told(place)} is no file that can be read.`, cause });
}

function noFolder(place: FilePlace): AppError {
  return new AppError({ code: "conflict", message: `A folder of ${told(place)} is a file already.` });
}
