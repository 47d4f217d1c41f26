/** One line of a unified diff as it is shown; `skipped` stands for lines that neither side changed. */
export type DiffLine =
  | { kind: "same" | "added" | "removed"; old: number | null; new: number | null; text: string }
  | { kind: "skipped"; count: number; text: string }
  | { kind: "note"; text: string };

export type DiffCounts = { added: number; removed: number };

const HUNK = /^@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@ ?(.*)$/;

/**
 * The lines of the diff of one file (POSIX unified format, git's headers too). Counts tell what is in a hunk, so that a removed line `-- x`
 * is no header. What was cut off in the middle is read as far as it goes.
 */
export function readDiff(diff: string): DiffLine[] {
  const lines: DiffLine[] = [];
  const left = { old: 0, new: 0 };
  const at = { old: 1, new: 1 };
  for (const line of linesOf(diff)) {
    if (left.old <= 0 && left.new <= 0) {
      const hunk = HUNK.exec(line);
      if (hunk === null) {
        if (line.startsWith("\\")) lines.push({ kind: "note", text: line.slice(1).trim() });
        else if (line.startsWith("GIT binary patch") || line.startsWith("Binary files "))
          return [{ kind: "note", text: "A binary file: its content is not shown." }];
        continue;
      }
      const [, old = "1", olds = "1", fresh = "1", news = "1", around = ""] = hunk;
      left.old = Number(olds);
      left.new = Number(news);
      // A side without lines is numbered by the line before it.
      const starts = {
        old: Number(old) + (left.old === 0 ? 1 : 0),
        new: Number(fresh) + (left.new === 0 ? 1 : 0),
      };
      const count = Math.max(0, starts.new - at.new);
      if (count > 0 || lines.length > 0) lines.push({ kind: "skipped", count, text: around });
      at.old = starts.old;
      at.new = starts.new;
      continue;
    }
    const sign = line[0];
    const text = line.slice(1);
    if (sign === "+") {
      lines.push({ kind: "added", old: null, new: at.new, text });
      at.new += 1;
      left.new -= 1;
    } else if (sign === "-") {
      lines.push({ kind: "removed", old: at.old, new: null, text });
      at.old += 1;
      left.old -= 1;
    } else if (sign === "\\") {
      lines.push({ kind: "note", text: text.trim() });
    } else {
      lines.push({ kind: "same", old: at.old, new: at.new, text });
      at.old += 1;
      at.new += 1;
      left.old -= 1;
      left.new -= 1;
    }
  }
  return lines;
}

/** How many lines came and went, without making the lines. */
export function countDiff(diff: string): DiffCounts {
  const counts = { added: 0, removed: 0 };
  let at = diff.startsWith("@@ ") ? 0 : diff.indexOf("\n@@ ") + 1;
  if (at === 0 && !diff.startsWith("@@ ")) return counts;
  while (at < diff.length) {
    const sign = diff.charCodeAt(at);
    if (sign === PLUS) counts.added += 1;
    else if (sign === MINUS) counts.removed += 1;
    const end = diff.indexOf("\n", at);
    if (end === -1) break;
    at = end + 1;
  }
  return counts;
}

const PLUS = 43;
const MINUS = 45;

function* linesOf(text: string): Generator<string> {
  let at = 0;
  while (at < text.length) {
    const end = text.indexOf("\n", at);
    if (end === -1) {
      yield text.slice(at);
      return;
    }
    yield text.slice(at, end);
    at = end + 1;
  }
}
