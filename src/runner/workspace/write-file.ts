import { constants } from "node:fs";
import { lstat, mkdir, open, realpath } from "node:fs/promises";
import { basename, dirname, join } from "node:path";

/**
 * Writes a file of the workspace and makes its folders. `path` is relative and normalized. A symlink on the way that leaves the workspace,
 * and one in the file's own place, is refused: its content would not be in what is packed. Rejects with errors of the file system.
 */
export async function writeWorkspaceFile(
  workspace: string,
  path: string,
  content: Buffer,
): Promise<"created" | "modified"> {
  const root = await realpath(workspace);
  await refuseLeaving(root, dirname(path));
  const folder = join(root, dirname(path));
  await mkdir(folder, { recursive: true });
  const target = join(folder, basename(path));
  const before = await lstat(target).catch(() => null);
  if (before !== null && !before.isFile()) throw new Error("there is something in its place that is no file");
  const { O_WRONLY, O_CREAT, O_TRUNC, O_NOFOLLOW, O_NONBLOCK } = constants;
  await using file = await open(target, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_NONBLOCK, 0o644);
  await file.writeFile(content);
  return before === null ? "created" : "modified";
}

/** The nearest folder that is already there must lie inside. */
async function refuseLeaving(root: string, folder: string): Promise<void> {
  for (let next = folder; next !== "."; next = dirname(next)) {
    const real = await realpath(join(root, next)).catch(() => null);
    if (real === null) continue;
    if (real === root || real.startsWith(`${root}/`)) return;
    throw new Error(`its folder ${next} leads out of the workspace`);
  }
}
