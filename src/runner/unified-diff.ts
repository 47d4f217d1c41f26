/** Texts that are larger together are not compared: it takes time in which nothing else happens. */
const COMPARED_MAX_CHARS = 2 * 1024 * 1024;
const COMPARING_MAX_MS = 200;
const CONTEXT_LINES = 3;
const NO_FILE = "/dev/null";
const NO_NEWLINE = "\\ No newline at end of file\n";

/**
 * What changed in a text file, as a unified diff; null is a file that is not there. Null for what is no text (it has a NUL), and for texts
 * that are too large or too unlike to be compared in the time there is.
 */
export async function unifiedDiff(
  path: string,
  before: string | null,
  after: string | null,
): Promise<string | null> {
  const texts = [before ?? "", after ?? ""];
  if (texts.some((text) => text.includes("\0"))) return null;
  if (texts.reduce((chars, text) => chars + text.length, 0) > COMPARED_MAX_CHARS) return null;
  const shown = nameOf(path);
  if (before === null || after === null) return wholeFile(shown, before, after);
  // Loaded when it is first needed: a job that only writes new files starts faster without it.
  const { createTwoFilesPatch, OMIT_HEADERS } = await import("diff");
  const options = { context: CONTEXT_LINES, timeout: COMPARING_MAX_MS, headerOptions: OMIT_HEADERS };
  const hunks = createTwoFilesPatch("", "", before, after, undefined, undefined, options);
  return hunks === undefined ? null : `${header(`a/${shown}`, `b/${shown}`)}${hunks}`;
}

/** The diff of a file that came or went: each line is a change. */
function wholeFile(name: string, before: string | null, after: string | null): string {
  const text = before ?? after ?? "";
  const sign = before === null ? "+" : "-";
  const head = before === null ? header(NO_FILE, `b/${name}`) : header(`a/${name}`, NO_FILE);
  if (text === "") return head;
  const ended = text.endsWith("\n");
  const lines = (ended ? text.slice(0, -1) : text).split("\n");
  const range = lines.length === 1 ? "1" : `1,${lines.length}`;
  const hunk = before === null ? `@@ -0,0 +${range} @@\n` : `@@ -${range} +0,0 @@\n`;
  return `${head}${hunk}${lines.map((line) => `${sign}${line}\n`).join("")}${ended ? "" : NO_NEWLINE}`;
}

function header(before: string, after: string): string {
  return `--- ${before}\n+++ ${after}\n`;
}

/** A path that has line breaks, or could pass for something else in a header, is quoted as JSON. */
function nameOf(path: string): string {
  return /[\p{Cc}"\\]/u.test(path) ? JSON.stringify(path) : path;
}
