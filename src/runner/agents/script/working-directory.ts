import { readFile, rm, stat } from "node:fs/promises";

/** The report of a shell block is a path, at most this long (PATH_MAX). */
const PATH_MAX_BYTES = 4096;

/**
 * Bash code that runs `$0`, as plain bash would, and writes where it ended to `report_path`. The trap serves blocks that leave by `exit`
 * or by a failing line, the last line those that set an EXIT trap of their own.
 */
export function shellWrapper(report_path: string): string {
  const report = `builtin printf %s "$PWD" > ${quote(report_path)} 2>/dev/null || :`;
  return `trap ${quote(report)} EXIT; source "$0"; set -- $?; ${report}; exit "$1"`;
}

/** The folder that a shell block ended in; `before` when it did not say, or when that folder is gone. Removes the report. */
export async function folderAfter(report_path: string, before: string): Promise<string> {
  try {
    const path = (await readFile(report_path)).toString("utf8", 0, PATH_MAX_BYTES);
    await rm(report_path, { force: true });
    return (await isFolder(path)) ? path : before;
  } catch {
    return before;
  }
}

export async function isFolder(path: string): Promise<boolean> {
  try {
    return path.startsWith("/") && (await stat(path)).isDirectory();
  } catch {
    return false;
  }
}

function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
