/** A line of a unified diff, with its numbers in the old and the new file. */
export type DiffLine =
  | { kind: "hunk"; text: string }
  | { kind: "added" | "removed" | "same"; text: string; old: number | null; new: number | null };

export type Diff = { lines: DiffLine[]; added: number; removed: number };

/** Takes a unified diff of one file apart; what is before its first hunk names the file and is left out. */
export function diffOf(text: string): Diff {
  const lines: DiffLine[] = [];
  let added = 0;
  let removed = 0;
  let place: { old: number; new: number } | null = null;
  const raw = text.split("\n");
  if (raw.at(-1) === "") raw.pop();
  for (const line of raw) {
    const hunk = /^@@ -(\d{1,9})(?:,\d+)? \+(\d{1,9})(?:,\d+)? @@/.exec(line);
    if (hunk !== null) {
      place = { old: Number(hunk[1]), new: Number(hunk[2]) };
      lines.push({ kind: "hunk", text: line });
      continue;
    }
    if (place === null || line.startsWith("\\")) continue;
    const rest = line.slice(1);
    if (line.startsWith("+")) {
      lines.push({ kind: "added", text: rest, old: null, new: place.new });
      place.new += 1;
      added += 1;
    } else if (line.startsWith("-")) {
      lines.push({ kind: "removed", text: rest, old: place.old, new: null });
      place.old += 1;
      removed += 1;
    } else {
      lines.push({ kind: "same", text: rest, old: place.old, new: place.new });
      place.old += 1;
      place.new += 1;
    }
  }
  return { lines, added, removed };
}
