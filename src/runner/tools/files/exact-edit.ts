/** Candidates that a model is shown when its text is not found, and how many lines of each. */
const CANDIDATES_MAX = 3;
const CANDIDATE_LINES_MAX = 20;
const LINE_SHOWN_MAX_CHARS = 200;
/** Lines that are compared with the text's first one. */
const COMPARED_LINES_MAX = 20_000;
/** From this likeness on, two lines are called alike. */
const ALIKE = 0.5;
const OCCURRENCES_TOLD_MAX = 10;

export type Edit = { old_text: string; new_text: string; replace_all: boolean };

/** A text with an exact match replaced, and the lines it was found at; or, in `refused`, why it was not, with what comes nearest. */
export function exactEdit(text: string, edit: Edit): { text: string; lines: number[] } | { refused: string } {
  const { old_text, new_text } = inLineEndsOf(text, edit);
  if (old_text === new_text) return { refused: "old_text and new_text are the same." };
  const found: number[] = [];
  for (let at = text.indexOf(old_text); at >= 0; at = text.indexOf(old_text, at + old_text.length))
    found.push(at);
  if (found.length === 0) return { refused: `old_text is not in the file. ${nearest(text, old_text)}` };
  const lines = linesOf(text, found);
  if (found.length > 1 && !edit.replace_all) {
    const where = lines.slice(0, OCCURRENCES_TOLD_MAX).join(", ");
    const more = lines.length > OCCURRENCES_TOLD_MAX ? ", …" : "";
    const message = `old_text is in the file ${found.length} times (lines ${where}${more}): add lines around it until it is there once, or set replace_all.`;
    return { refused: message };
  }
  return { text: text.split(old_text).join(new_text), lines };
}

/** Models write line feeds; a file whose lines end otherwise is matched and keeps its own. */
function inLineEndsOf(text: string, edit: Edit): Edit {
  if (!text.includes("\r\n") || text.includes(edit.old_text)) return edit;
  const convert = (part: string): string => part.replace(/\r?\n/g, "\r\n");
  return { ...edit, old_text: convert(edit.old_text), new_text: convert(edit.new_text) };
}

/** The line numbers, from 1, of places in ascending order. */
function linesOf(text: string, places: readonly number[]): number[] {
  const lines: number[] = [];
  let line = 1;
  let from = 0;
  for (const place of places) {
    for (let at = text.indexOf("\n", from); at >= 0 && at < place; at = text.indexOf("\n", at + 1)) {
      line += 1;
      from = at + 1;
    }
    lines.push(line);
  }
  return lines;
}

/** What in the text is most like the text that was not found. */
function nearest(text: string, old_text: string): string {
  const lines = text.split(/\r?\n/);
  const wanted = old_text.split(/\r?\n/);
  const trimmed = lines.map((line) => line.trim());
  const core = wanted.map((line) => line.trim());
  while (core.length > 1 && core[0] === "") core.shift();
  while (core.length > 1 && core.at(-1) === "") core.pop();
  for (let start = 0; start + core.length <= trimmed.length; start++) {
    if (core.some((line, index) => trimmed[start + index] !== line)) continue;
    return `These lines differ from it in white space only:\n${shown(lines, start, core.length)}`;
  }
  const [first = ""] = core.filter((line) => line !== "");
  const alike = trimmed
    .slice(0, COMPARED_LINES_MAX)
    .map((line, index) => ({ index, score: likeness(line, first) }))
    .filter(({ score }) => score >= ALIKE)
    .sort((a, b) => b.score - a.score)
    .slice(0, CANDIDATES_MAX);
  if (alike.length === 0) return `Nothing in its ${lines.length} lines is like the first line of old_text.`;
  const candidates = alike.map(({ index }) => shown(lines, index, core.length)).join("\n---\n");
  return `The lines that come nearest to its first one:\n${candidates}`;
}

function shown(lines: readonly string[], start: number, count: number): string {
  return lines
    .slice(start, start + Math.min(count, CANDIDATE_LINES_MAX))
    .map((line, index) => `${String(start + index + 1).padStart(6)}\t${line.slice(0, LINE_SHOWN_MAX_CHARS)}`)
    .join("\n");
}

/** How much two lines have in common, 0 to 1: the share of pairs of neighbouring characters (Sørensen–Dice). */
function likeness(one: string, other: string): number {
  const [a, b] = [pairs(one), pairs(other)];
  if (a.size === 0 || b.size === 0) return one === other && one !== "" ? 1 : 0;
  let common = 0;
  for (const pair of a) if (b.has(pair)) common += 1;
  return (2 * common) / (a.size + b.size);
}

function pairs(line: string): Set<string> {
  const cut = line.slice(0, LINE_SHOWN_MAX_CHARS);
  return new Set(Array.from({ length: Math.max(0, cut.length - 1) }, (_, at) => cut.slice(at, at + 2)));
}
