import { countDiff, type DiffCounts } from "../../ui/diff-lines.ts";
import type { Change } from "./change-look.ts";

/** One file of a git patch. */
export type PatchFile = DiffCounts & {
  /** As it is written there; null when it cannot be read. */
  path: string | null;
  change: Change;
  /** Something about it that lines do not say: its mode, or that it is binary. */
  note: string | null;
  diff: string;
};

const BEGIN = "diff --git ";

/**
 * The files of a patch that `git diff` made, renames not looked for. No line inside a hunk or a binary block begins with `diff --git `, so that
 * line begins a file (git's diff-generate-patch format).
 */
export function patchFiles(patch: string): PatchFile[] {
  const files: PatchFile[] = [];
  let from = patch.startsWith(BEGIN) ? 0 : nextFile(patch, 0);
  while (from !== -1) {
    const next = nextFile(patch, from);
    files.push(readFile(patch.slice(from, next === -1 ? patch.length : next)));
    from = next;
  }
  return files;
}

function nextFile(patch: string, after: number): number {
  const found = patch.indexOf(`\n${BEGIN}`, after);
  return found === -1 ? -1 : found + 1;
}

function readFile(diff: string): PatchFile {
  const end = /^(?:@@ |GIT binary patch|Binary files )/m.exec(diff)?.index ?? diff.length;
  const head = diff.slice(0, end).split("\n");
  const value = (start: string): string | null =>
    head.find((line) => line.startsWith(start))?.slice(start.length) ?? null;
  const is_new = value("new file mode ");
  const is_gone = value("deleted file mode ");
  const [old_mode, new_mode] = [value("old mode "), value("new mode ")];
  const change = is_new !== null ? "created" : is_gone !== null ? "deleted" : "modified";
  const side = change === "deleted" ? value("--- ") : value("+++ ");
  const binary = diff.startsWith("GIT binary patch", end) || diff.startsWith("Binary files", end);
  const note = binary
    ? "binary"
    : new_mode !== null
      ? `mode ${old_mode} → ${new_mode}`
      : is_new?.startsWith("120000") === true
        ? "symlink"
        : is_new === "100755"
          ? "executable"
          : null;
  return {
    path: side === null ? sameName(head[0] ?? "") : nameOf(side),
    change,
    note,
    diff,
    ...countDiff(diff),
  };
}

/** The name in `diff --git a/NAME b/NAME`, where no other line says it: both are the same. */
function sameName(line: string): string | null {
  const rest = line.slice(BEGIN.length);
  const quoted = /^("(?:[^"\\]|\\.)*") /.exec(rest)?.[1];
  const first = quoted ?? rest.slice(0, (rest.length - 1) / 2);
  return nameOf(first);
}

const ESCAPES: Record<string, string> = { t: "\t", n: "\n", r: "\r", '"': '"', "\\": "\\" };

/** `a/x` or `"a/x\\ty"` without its prefix; a name with spaces ends in a tab. */
function nameOf(written: string): string | null {
  const plain = written.startsWith('"')
    ? written
        .slice(1, written.lastIndexOf('"'))
        .replace(/\\([tnr"\\])/g, (_whole, char: string) => ESCAPES[char] ?? char)
    : written.replace(/\t$/, "");
  return /^[ab]\//.test(plain) ? plain.slice(2) : null;
}
