import { randomBytes } from "node:crypto";
import { constants, type Stats } from "node:fs";
import { lstat, mkdir, open, realpath, rename, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";

/** Of a file that is replaced, this much is kept for its diff. */
const BEFORE_MAX_BYTES = 1024 * 1024;
const NEW_FILE_MODE = 0o644;
/** What stands for a content that is not looked at: it has a NUL, so it counts as no text. */
const UNREAD = Buffer.from([0]);

/**
 * Writes a file below `root` and makes its folders; whoever reads it meanwhile sees the old content or the new one. `path` is relative
 * and normalized. A symlink on the way that leaves `root`, and one in the file's own place, is refused: its content would not be in what
 * is packed. A file that was there keeps its mode. Returns what was there: null for nothing, one NUL for what is too large to be compared.
 * Rejects with errors of the file system.
 */
export async function writeFileBelow(root: string, path: string, content: Buffer): Promise<Buffer | null> {
  const real_root = await realpath(root);
  await refuseLeaving(real_root, dirname(path));
  const folder = join(real_root, dirname(path));
  await mkdir(folder, { recursive: true });
  const target = join(folder, basename(path));
  const stat = await lstat(target).catch(() => null);
  if (stat?.isFile() === false) throw new Error("there is something in its place that is no file");
  if (stat !== null && (stat.mode & 0o200) === 0) throw new Error("it is read-only");
  const before = stat === null ? null : await contentOf(target, stat);
  const unfinished = join(folder, `.${randomBytes(8).toString("hex")}.unfinished`);
  try {
    const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW } = constants;
    await using file = await open(unfinished, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, NEW_FILE_MODE);
    await file.writeFile(content);
    if (stat !== null) await file.chmod(stat.mode & 0o777);
    await rename(unfinished, target);
  } catch (error) {
    await rm(unfinished, { force: true }).catch(() => undefined);
    throw error;
  }
  return before;
}

/** A content as text, for a diff: UTF-8, or byte for byte where it is not. */
export function comparable(content: Buffer): string {
  const text = content.toString("utf8");
  return text.includes("\ufffd") ? content.toString("latin1") : text;
}

async function contentOf(path: string, stat: Stats): Promise<Buffer> {
  if (stat.size > BEFORE_MAX_BYTES) return UNREAD;
  const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = constants;
  const file = await open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK).catch(() => null);
  if (file === null) return UNREAD;
  await using opened = file;
  return (await opened.stat()).size > BEFORE_MAX_BYTES ? UNREAD : opened.readFile();
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
