import type { Stats } from "node:fs";
import { link, lstat, mkdir, rename, rm, rmdir, unlink } from "node:fs/promises";
import { AppError } from "../../contract/errors.ts";
import type { FileChange } from "../../contract/surfaces.ts";
import type { FilePlace } from "../handlers.ts";
import { explained, isBelow, isCode, type Roots, spotToChange, told } from "./inside.ts";

/**
 * Changes files of a job. Symlinks are moved and removed themselves, never what they lead to. Throws AppError as spotToChange says,
 * `not_found` for what is not there, and `conflict`: a move onto something or into itself, a folder that is not empty without `recursive`,
 * a folder in the place of a file. A folder that is there already is made again by doing nothing.
 */
export async function changeFiles(roots: Roots, change: FileChange): Promise<void> {
  const place = { root: change.root, path: change.path };
  try {
    if (change.change === "make_folder") await makeFolder(roots, place);
    else if (change.change === "remove") await remove(roots, place, change.recursive);
    else await move(roots, place, { root: change.root, path: change.to });
  } catch (error) {
    throw isCode(error, "ENOENT") ? missing(place) : explained(error, place);
  }
}

async function makeFolder(roots: Roots, place: FilePlace): Promise<void> {
  const spot = await spotToChange(roots, place, { make_folders: true });
  await mkdir(spot.path).catch(async (error: unknown) => {
    if (!isCode(error, "EEXIST")) throw error;
    if (!(await lstat(spot.path)).isDirectory()) throw occupied(place);
  });
}

async function remove(roots: Roots, place: FilePlace, recursive: boolean): Promise<void> {
  const spot = await spotToChange(roots, place, { make_folders: false });
  const stat = await statOf(spot.path, place);
  if (!stat.isDirectory()) await unlink(spot.path);
  else if (recursive) await rm(spot.path, { recursive: true });
  else
    await rmdir(spot.path).catch((error: unknown) => {
      if (!isCode(error, "ENOTEMPTY", "EEXIST")) throw error;
      throw new AppError({ code: "conflict", message: `The folder ${told(place)} is not empty.` });
    });
}

async function move(roots: Roots, from: FilePlace, to: FilePlace): Promise<void> {
  const source = await spotToChange(roots, from, { make_folders: false });
  const stat = await statOf(source.path, from);
  const target = await spotToChange(roots, to, { make_folders: true });
  if (target.path === source.path) return;
  if (isBelow(source.path, target.path))
    throw new AppError({ code: "conflict", message: `${told(from)} cannot be moved into itself.` });
  if ((await lstat(target.path).catch(() => null)) !== null) throw occupied(to);
  if (stat.isDirectory()) {
    await rename(source.path, target.path).catch((error: unknown) => {
      throw isCode(error, "ENOTEMPTY", "EEXIST", "ENOTDIR") ? occupied(to) : error;
    });
    return;
  }
  // A link fails, as no move does, where something has come to be meanwhile.
  await link(source.path, target.path).catch((error: unknown) => {
    throw isCode(error, "EEXIST") ? occupied(to) : error;
  });
  await unlink(source.path);
}

async function statOf(path: string, place: FilePlace): Promise<Stats> {
  const stat = await lstat(path).catch(() => null);
  if (stat === null) throw missing(place);
  return stat;
}

function missing(place: FilePlace): AppError {
  return new AppError({ code: "not_found", message: `There is no ${told(place)}.` });
}

function occupied(place: FilePlace): AppError {
  return new AppError({ code: "conflict", message: `There is something at ${told(place)} already.` });
}
