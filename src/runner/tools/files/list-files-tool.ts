import type { Dirent } from "node:fs";
import { lstat, opendir, readlink } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { done, refused } from "../outcome.ts";
import type { AgentTool } from "../tool.ts";
import type { Reach } from "./reach.ts";

const DEPTH_MAX = 10;
const ENTRIES_MAX = 1000;
/** One folder is sorted, so it is held whole; beyond this it is cut. */
const FOLDER_MAX_ENTRIES = 10_000;
/** Folders that are named and not looked into: what is in them is somebody else's, and much. */
export const PASSED_OVER = new Set([".git", "node_modules", "__pycache__", ".venv", "venv"]);

const ListFilesInput = z.object({
  path: z.string().min(1).max(4096).default(".").describe("A folder, the workspace when left out."),
  depth: z.int().min(1).max(DEPTH_MAX).default(2).describe("How many levels deep."),
});
type ListFilesInput = z.infer<typeof ListFilesInput>;

export function listFilesTool(reach: Reach): AgentTool<ListFilesInput> {
  return {
    name: "list_files",
    description: `Lists a folder, with sizes in bytes, at most ${ENTRIES_MAX} entries. ${[...PASSED_OVER].join(", ")} are named, not opened.`,
    input: ListFilesInput,
    step: "file",
    changes: () => false,
    describe: ({ path }) => ({ title: `list ${path}`, code: "" }),
    async run({ path, depth }) {
      const begun = performance.now();
      const found = await reach.find(path);
      if (typeof found === "string") return refused(found, begun);
      const stat = await lstat(found.real).catch(() => null);
      if (stat === null) return refused(`There is no folder ${found.shown}.`, begun);
      if (!stat.isDirectory()) return refused(`${found.shown} is no folder: use read_file.`, begun);
      const lines: string[] = [];
      const whole = await list(found.real, "", depth, lines);
      const cut = whole ? "" : `\n(more than ${ENTRIES_MAX} entries: list a folder of it, or less deep)`;
      const body = lines.length === 0 ? "(empty)" : lines.join("\n");
      return done(`${found.shown}/\n${body}${cut}`, begun);
    },
  };
}

/** Adds a folder's entries to `lines`; false when there was no room for all. */
async function list(folder: string, below: string, depth: number, lines: string[]): Promise<boolean> {
  const { entries, whole } = await entriesOf(folder);
  for (const entry of entries) {
    if (lines.length >= ENTRIES_MAX) return false;
    const path = `${below}${entry.name}`;
    const real = join(folder, entry.name);
    if (!entry.isDirectory()) {
      lines.push(await lineOf(path, real, entry));
      continue;
    }
    lines.push(`${path}/`);
    if (depth === 1 || PASSED_OVER.has(entry.name)) continue;
    if (!(await list(real, `${path}/`, depth - 1, lines))) return false;
  }
  return whole;
}

async function lineOf(path: string, real: string, entry: Dirent): Promise<string> {
  if (entry.isSymbolicLink()) return `${path} -> ${await readlink(real).catch(() => "?")}`;
  const stat = await lstat(real).catch(() => null);
  return entry.isFile() ? `${path} ${stat?.size ?? 0}` : `${path} (no regular file)`;
}

/** The entries of a folder, sorted by name; none of one that cannot be opened. */
export async function entriesOf(folder: string): Promise<{ entries: Dirent[]; whole: boolean }> {
  const entries: Dirent[] = [];
  let whole = true;
  try {
    for await (const entry of (await opendir(folder)) as AsyncIterable<Dirent>) {
      whole = entries.length < FOLDER_MAX_ENTRIES;
      if (!whole) break;
      entries.push(entry);
    }
  } catch {
    // It is not readable, or went while it was read.
  }
  entries.sort((a, b) => (a.name < b.name ? -1 : 1));
  return { entries, whole };
}
