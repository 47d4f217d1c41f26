/**
 * Text that we did not write (output of steps, titles, file names, reasons) made safe to print.
 * A terminal obeys control sequences: they can hide or fake lines, set its title, or answer into the shell.
 */

const SGR = /\x1b\[[0-9;:]*m/g;
const SGR_AT_START = /^\x1b\[([0-9;:]*)m/;
/** CSI, OSC and the string sequences of ECMA-48, then escapes of two or three bytes; complete ones only. */
const SEQUENCES =
  /\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[PX^_][^\x1b]*\x1b\\|[ -/]+[0-~]|[0-OQ-WYZ\\`-~])/g;
const DIRECTION = /[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;
const SEPARATORS = /[\u2028\u2029]/g;
/** Longer runs of colour sequences than this are not carried over to the next line. */
const STYLE_MAX_CHARS = 200;

/** One line with nothing in it that a terminal would obey; tabs become spaces, line breaks a sign. */
export function plainLine(text: string): string {
  return visible(text.replace(SEQUENCES, "")).replaceAll("\t", "    ");
}

/** Several lines, each made safe. */
export function plainText(text: string): string {
  return text
    .split(/\r?\n/)
    .map((line) => plainLine(line))
    .join("\n");
}

/** A value as JSON in one line; what a terminal would obey and JSON leaves as it is stands there as an escape, which means the same. */
export function jsonText(value: unknown): string {
  const escaped = (char: string) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`;
  return JSON.stringify(value)
    .replace(/[\x7f-\x9f]/g, escaped)
    .replace(DIRECTION, escaped);
}

/** Control characters as their pictures (U+2400…), direction controls by number; keeps tabs. */
function visible(text: string): string {
  return text
    .replace(/[\x00-\x08\x0a-\x1f]/g, (char) => String.fromCharCode(0x2400 + char.charCodeAt(0)))
    .replace(/\x7f/g, "\u2421")
    .replace(/[\x80-\x9f]/g, (char) => `<${char.charCodeAt(0).toString(16)}>`)
    .replace(DIRECTION, number)
    .replace(SEPARATORS, number);
}

const number = (char: string) => `<U+${char.charCodeAt(0).toString(16).toUpperCase().padStart(4, "0")}>`;

/** Makes lines of one output stream safe, one after the other, keeping colours across them when `colour` is on. */
export class LinePainter {
  readonly #colour: boolean;
  #style = "";

  constructor(colour: boolean) {
    this.#colour = colour;
  }

  /** The line as it would look on a terminal after its carriage returns, wrapped to `columns` (Infinity: not). */
  paint(raw: string, columns: number): string[] {
    const { rows, style } = this.#render(raw, columns);
    this.#style = style;
    return rows;
  }

  /** The same for a line that is not complete yet: what it looks like now, cut to one row. */
  peek(raw: string, columns: number): string {
    return this.#render(raw, columns).rows.at(-1) ?? "";
  }

  #render(raw: string, columns: number): { rows: string[]; style: string } {
    let style = this.#style;
    const rows: string[] = [];
    let row = style;
    let used = 0;
    for (const token of tokens(lastOverwrite(raw))) {
      if (token.kind === "style") {
        if (!this.#colour || conceals(token.text)) continue;
        style = /^\x1b\[(?:0*[;:]?)*m$/.test(token.text) ? "" : (style + token.text).slice(-STYLE_MAX_CHARS);
        if (!style.startsWith("\x1b") && style !== "") style = "";
        row += token.text;
        continue;
      }
      for (const char of characters(token.text)) {
        const width = charWidth(char);
        if (used + width > columns && used > 0) {
          rows.push(row + (row.includes("\x1b") ? "\x1b[0m" : ""));
          row = style;
          used = 0;
        }
        row += char;
        used += width;
      }
    }
    rows.push(row + (row.includes("\x1b") ? "\x1b[0m" : ""));
    return { rows, style };
  }
}

/** What a carriage return leaves on the screen, near enough: the last part that has something in it. */
function lastOverwrite(raw: string): string {
  if (!raw.includes("\r")) return raw;
  const parts = raw.split("\r");
  return parts.findLast((part) => part.replace(SEQUENCES, "") !== "") ?? "";
}

function* tokens(text: string): Generator<{ kind: "style" | "text"; text: string }> {
  let from = 0;
  for (const match of text.matchAll(SEQUENCES)) {
    if (match.index > from) yield { kind: "text", text: visible(text.slice(from, match.index)) };
    if (SGR_AT_START.test(match[0])) yield { kind: "style", text: match[0] };
    from = match.index + match[0].length;
  }
  if (from < text.length) yield { kind: "text", text: visible(text.slice(from)) };
}

/** SGR 8 hides text; as an argument of an extended colour (38, 48, 58) the number means something else. */
function conceals(sequence: string): boolean {
  const numbers = (SGR_AT_START.exec(sequence)?.[1] ?? "").split(";");
  for (let index = 0; index < numbers.length; index += 1) {
    const value = Number(numbers[index]);
    if (value === 8) return true;
    if (value === 38 || value === 48 || value === 58) index += numbers[index + 1] === "5" ? 2 : 4;
  }
  return false;
}

function* characters(text: string): Generator<string> {
  for (const char of text) yield char === "\t" ? "    " : char;
}

const WIDE =
  /^[\p{Emoji_Presentation}\u1100-\u115f\u2e80-\u303e\u3041-\u33ff\u3400-\u4dbf\u4e00-\u9fff\ua000-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{20000}-\u{3fffd}]/u;
const NO_WIDTH = /^(?:\p{Mn}|\p{Me}|[\u200b\u200c\u2060\ufeff]|\u200d|[\ufe00-\ufe0f])$/u;

function charWidth(char: string): number {
  if (char.length === 1 && char >= " " && char <= "~") return 1;
  if (char === "    ") return 4;
  if (NO_WIDTH.test(char)) return 0;
  return WIDE.test(char) ? 2 : 1;
}

/** How many columns a text takes on a terminal; colours take none. */
export function textWidth(text: string): number {
  let width = 0;
  for (const char of text.replace(SGR, "")) width += charWidth(char);
  return width;
}

/** The text cut to so many columns, with … where something was cut. Takes text without colours. */
export function cut(text: string, columns: number): string {
  if (textWidth(text) <= columns) return text;
  let kept = "";
  let width = 0;
  for (const char of text) {
    if (width + charWidth(char) > columns - 1) break;
    kept += char;
    width += charWidth(char);
  }
  return columns < 1 ? "" : `${kept}…`;
}

/**
 * The text broken at spaces into rows of so many columns (Infinity: only where it breaks lines itself). A word that is
 * longer stays whole. Takes safe text, in which colours count as nothing.
 */
export function wrapped(text: string, columns: number): string[] {
  return text.split("\n").flatMap((line) => {
    if (textWidth(line) <= columns) return [line];
    const rows: string[] = [];
    let row = /^ */.exec(line)?.[0] ?? "";
    for (const word of line.trimStart().split(" ")) {
      const longer = row.trim() === "" ? row + word : `${row} ${word}`;
      if (textWidth(longer) > columns && row.trim() !== "") {
        rows.push(row);
        row = word;
      } else row = longer;
    }
    return [...rows, row];
  });
}

/**
 * Safe text with a mark before its first row and room below that, in rows narrower than `columns` (Infinity: only where it breaks
 * lines itself). A word that is too long is broken: a terminal would continue it at the left edge, where our own lines begin.
 */
export function indented(mark: string, text: string, columns: number): string[] {
  const indent = textWidth(mark);
  const room = Math.max(20, columns - indent - 1);
  return wrapped(text, room)
    .flatMap((row) => (textWidth(row) <= room ? [row] : pieces(row, room)))
    .map((row, index) => (index === 0 ? mark + row : row === "" ? "" : " ".repeat(indent) + row));
}

function pieces(row: string, columns: number): string[] {
  return new LinePainter(row.includes("\x1b")).paint(row, columns);
}
