/** More than this is shown as the text that it is: parsing must not hold up the page. */
const CHARS_MAX = 64 * 1024;
const LINES_MAX = 2_000;
/** Lists and quotes within each other. Each is an element within an element, and the parser calls itself for it. */
const DEPTH_MAX = 24;
const INDENT_OF_LEVEL = 2;
/** Items of lists and lines of quotes, each counted as often as it is within another. */
const LEVELS_MAX = 4_000;
/** What begins and ends emphasis, code and links. Within a paragraph the time for it grows with the square of how many there are. */
const MARKS = /[*_~[\]`]/g;
const MARKS_MAX = 10_000;
const SQUARES_MAX = 1_000_000;
const LINKS = /www\.|:\/\/|@|\]/gi;
const LINKS_MAX = 2_000;
/** Cells of tables, about. */
const PIPES_MAX = 5_000;

/** What stands before a line's text: blanks, and the marks of quotes and lists. */
const LEAD = /^(?:[ \t]|>|[-+*](?=[ \t]|$)|\d{1,9}[.)](?=[ \t]|$))*/;
const LEVELS = />|[-+*]|\d+[.)]/g;
/** Lines at which a paragraph ends, whatever it is in: blank ones, and those that begin an item or a heading. */
const BREAK = /^(?:\s*$| {0,3}[-+*] +\S| {0,3}#{1,6} )/;

/** Whether Markdown of anybody is parsed and laid out in a moment, whatever it says. */
export function isQuicklyLaidOut(text: string): boolean {
  if (text.length > CHARS_MAX || count(text, /\|/g) > PIPES_MAX || count(text, LINKS) > LINKS_MAX)
    return false;
  const lines = text.split(/\r\n|[\r\n]/);
  if (lines.length > LINES_MAX || count(text, MARKS) > MARKS_MAX) return false;
  let all_levels = 0;
  let squares = 0;
  let marks = 0;
  for (const line of lines) {
    const [lead = ""] = LEAD.exec(line) ?? [];
    const levels = count(lead, LEVELS);
    const indent = count(lead.replaceAll("\t", "    "), / /g) / INDENT_OF_LEVEL;
    if (levels > 0 && levels + indent > DEPTH_MAX) return false;
    all_levels += levels;
    if (BREAK.test(line)) {
      squares += marks ** 2;
      marks = 0;
    }
    marks += count(line, MARKS);
  }
  return squares + marks ** 2 <= SQUARES_MAX && all_levels <= LEVELS_MAX;
}

function count(text: string, pattern: RegExp): number {
  return text.match(pattern)?.length ?? 0;
}
