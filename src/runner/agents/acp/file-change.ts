import { constants } from "node:fs";
import { open, realpath } from "node:fs/promises";
import { dirname, isAbsolute, relative, resolve } from "node:path";
import { comparable } from "../../workspace/write-file.ts";
import type { FileDiff } from "./tool-call.ts";

/** A larger file is not read to find out what a change is a part of. */
const FILE_MAX_BYTES = 1024 * 1024;

/**
 * What a whole file was and is: some agents show the part that they replaced instead of the file. Where that cannot be found out, what the
 * agent shows is taken for the whole.
 */
export async function changeOf(
  diff: FileDiff,
  home: string,
): Promise<{ before: string | null; after: string | null }> {
  const { before, after } = diff;
  const now = await readBelow(home, diff.path);
  if (now === "missing") return after === "" ? { before, after: null } : { before, after };
  if (now === null || now === after || before === null) return { before, after };
  const at = now.indexOf(after);
  // A part that occurs twice may be either; the diff would then show the wrong lines.
  if (after === "" || at < 0 || now.indexOf(after, at + 1) >= 0) return { before, after };
  return { before: now.slice(0, at) + before + now.slice(at + after.length), after: now };
}

/** Relative to the workspace; absolute for what lies outside. */
export function pathToTell(path: string, { workspace }: { workspace: string }): string {
  const inside = relative(workspace, resolve(workspace, path));
  return inside === "" || isAbsolute(inside) || inside.split("/")[0] === ".."
    ? resolve(workspace, path)
    : inside;
}

/** The file as text; `missing` when it is not there, null when it cannot be looked at or lies outside `home`. */
async function readBelow(home: string, path: string): Promise<string | "missing" | null> {
  try {
    const root = await realpath(home);
    const folder = await realpath(dirname(path));
    if (folder !== root && !folder.startsWith(`${root}/`)) return null;
    const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = constants;
    await using file = await open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    const { size } = await file.stat();
    return size > FILE_MAX_BYTES ? null : comparable(await file.readFile());
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "ENOENT" ? "missing" : null;
  }
}
