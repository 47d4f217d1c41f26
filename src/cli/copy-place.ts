import path from "node:path";
import { AppError } from "../contract/errors.ts";
import type { FileRoot } from "../contract/surfaces.ts";

/** What the end of a path says: `/` that it is a folder, `/.` that what is in it is meant. */
export type Meaning = { folder: boolean; content: boolean };
/** Where a copy comes from or goes to in a job; `path` is normalized, "" being the root. */
export type RemotePlace = { kind: "job"; job: string; root: FileRoot; path: string } & Meaning;
export type CopyPlace = { kind: "here"; path: string } | { kind: "stream" } | RemotePlace;

const FOLDERS = [
  ["workspace", "/workspace"],
  ["workspace", "/home/agent/workspace"],
  ["home", "/home/agent"],
  ["home", "~"],
] as const;

/**
 * Reads an argument of `cp`: `ID:PATH`, `-`, or a path of this machine, which has no colon before its first slash. Throws `usage` for a path
 * that is neither in the workspace nor in the home folder of a job.
 */
export function copyPlace(given: string): CopyPlace {
  if (given === "-") return { kind: "stream" };
  const colon = given.indexOf(":");
  if (colon <= 0 || given.slice(0, colon).includes("/")) return { kind: "here", path: given };
  const inside = given.slice(colon + 1);
  return { kind: "job", job: given.slice(0, colon), ...rooted(inside), ...meaningOf(inside) };
}

export function meaningOf(given: string): Meaning {
  const content = /(^|\/)\.$/.test(given);
  return { content, folder: content || given === "" || given.endsWith("/") };
}

function rooted(given: string): { root: FileRoot; path: string } {
  for (const [root, folder] of FOLDERS)
    if (given === folder || given.startsWith(`${folder}/`))
      return { root, path: normal(given.slice(folder.length).replace(/^\/+/, ""), given) };
  if (!given.startsWith("/")) return { root: "workspace", path: normal(given, given) };
  throw new AppError({
    code: "usage",
    message: `'${given}' lies neither in the workspace nor in the home folder of a job.`,
    hint: "Give a path relative to the workspace, or one that begins with /workspace, ~ or /home/agent.",
  });
}

function normal(below: string, given: string): string {
  const normalized = path.posix.normalize(below).replace(/\/$/, "");
  if (normalized === ".") return "";
  if (normalized !== ".." && !normalized.startsWith("../") && !normalized.includes("\0")) return normalized;
  throw new AppError({ code: "usage", message: `'${given}' leads out of the job's files.` });
}
