import { lstat } from "node:fs/promises";
import { resolve } from "node:path";

/** A plan names files in a model's words: only what reads as one path can be looked for. */
const ONE_PATH = /^[^\s*?()[\]{}<>|]+$/;

/** Those of a plan's files, relative to the workspace or absolute, that are not there. */
export async function missingFiles(workspace: string, files: readonly string[]): Promise<string[]> {
  const missing: string[] = [];
  for (const file of files.map((one) => one.trim()).filter((one) => ONE_PATH.test(one)))
    if (!(await exists(resolve(workspace, file)))) missing.push(file);
  return missing;
}

async function exists(path: string): Promise<boolean> {
  try {
    await lstat(path);
    return true;
  } catch {
    // Whatever cannot be looked at is no file that the work leaves.
    return false;
  }
}
