import type { Event } from "../../../src/contract/event.ts";
import { PLAIN, styleAfter, type TextStyle } from "./text-style.ts";
import { visibleText } from "./visible-text.ts";

/** Which of its two outputs a step wrote to. */
export type OutputStream = Extract<Event, { type: "step.output" }>["data"]["stream"];
/** A piece of raw output within one line. */
export type RawPiece = { text: string; stream: OutputStream };
/** A piece of a line as it is shown: all of one look. */
export type Span = { text: string; style: TextStyle; stream: OutputStream };
/** `left_out` counts the characters of the line that are not in its spans. */
export type TerminalLine = { spans: Span[]; left_out: number };

/** What of a line is shown; longer ones are cut. */
export const LINE_SHOWN_CHARS = 4_000;
/** What of a line is looked at: progress bars write one line over and over. */
const LINE_READ_CHARS = 64 * 1024;
/** Changes of look within a line; what comes after them is plain. */
const SPANS_MAX = 400;
/** A string sequence that is not closed within so many characters is none. */
const STRING_MAX_CHARS = 4 * 1024;

/** All that is not plain text within a line; tabs are. */
const SPECIAL = /[\x00-\x08\x0b-\x1f\x7f-\x9f]/;
const SGR = /\x1b\[([0-9;:]*)m/;
/** CSI, then the strings OSC, DCS, SOS, PM and APC with or without their end, then other escapes (ECMA-48). */
const CSI = /\x1b\[([0-?]*)[ -/]*([@-~])/y;
const STRING = /\x1b[\]PX^_][^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)/y;
const ESCAPE = /\x1b[ -/]*[0-~]?/y;

type Cell = { char: string; style: TextStyle; stream: OutputStream };

/**
 * Shows lines as a terminal would have: colours, carriage returns and backspaces. Nothing else of a terminal is obeyed: titles, links,
 * the clipboard and moves to other lines have no effect and do not show. Keeps its style from line to line.
 */
export class LinePainter {
  #style: TextStyle;

  constructor(style: TextStyle = PLAIN) {
    this.#style = style;
  }

  /** The style in which the next line begins. */
  get style(): TextStyle {
    return this.#style;
  }

  /** One line, without its line feed. */
  paint(raw: readonly RawPiece[]): TerminalLine {
    const length = raw.reduce((sum, { text }) => sum + text.length, 0);
    const simple = length <= LINE_SHOWN_CHARS ? this.#paintSimple(raw) : null;
    if (simple !== null) return { spans: simple, left_out: 0 };
    const row = new Row();
    for (const { text, stream } of readable(raw, length)) this.#write(row, text, stream);
    const { cells } = row;
    const left_out = Math.max(0, cells.length - LINE_SHOWN_CHARS, length - LINE_READ_CHARS);
    return { spans: spansOf(cells.slice(0, LINE_SHOWN_CHARS)), left_out };
  }

  /** Most lines have nothing but text and colours, and need no cells; null for those that have more. */
  #paintSimple(raw: readonly RawPiece[]): Span[] | null {
    const before = this.#style;
    const spans: Span[] = [];
    for (const { text, stream } of raw) {
      // With the group in it, every second part is the parameters of a sequence.
      for (const [index, part] of text.split(SGR).entries()) {
        if (index % 2 === 1) this.#style = styleAfter(this.#style, part);
        else if (SPECIAL.test(part) || spans.length >= SPANS_MAX) {
          this.#style = before;
          return null;
        } else if (part !== "") spans.push({ text: visibleText(part), style: this.#style, stream });
      }
    }
    return spans;
  }

  #write(row: Row, text: string, stream: OutputStream): void {
    let index = 0;
    while (index < text.length) {
      const char = text[index] ?? "";
      if (char === "\x1b") {
        index += this.#escape(row, text, index);
        continue;
      }
      const code = text.codePointAt(index) ?? 0;
      const whole = String.fromCodePoint(code);
      index += whole.length;
      if (char === "\r") row.column = 0;
      else if (char === "\b") row.column = Math.max(0, row.column - 1);
      else if (char !== "\x07" && char !== "\0") row.put({ char: whole, style: this.#style, stream });
    }
  }

  /** Obeys or skips the sequence at an index; how long it is. */
  #escape(row: Row, text: string, index: number): number {
    const csi = at(CSI, text, index);
    if (csi !== null) {
      const [whole, parameters = "", final = ""] = csi;
      if (final === "m" && /^[0-9;:]*$/.test(parameters)) this.#style = styleAfter(this.#style, parameters);
      else row.obey(final, Number.parseInt(parameters, 10));
      return whole.length;
    }
    const string = at(STRING, text, index);
    if (string !== null && string[0].length <= STRING_MAX_CHARS) return string[0].length;
    return at(ESCAPE, text, index)?.[0].length ?? 1;
  }
}

function at(pattern: RegExp, text: string, index: number): RegExpExecArray | null {
  pattern.lastIndex = index;
  return pattern.exec(text);
}

/** One line of cells, of bounded length. */
class Row {
  readonly cells: Cell[] = [];
  column = 0;

  put(cell: Cell): void {
    // What is written beyond what was there leaves blanks between.
    while (this.cells.length < this.column) this.cells.push({ ...cell, char: " " });
    this.cells[this.column] = cell;
    this.column += 1;
  }

  /** Of the sequences that are no style those within the line; `count` may be NaN. */
  obey(final: string, count: number): void {
    const by = Math.min(LINE_SHOWN_CHARS, Math.max(1, count || 1));
    if (final === "C") this.column = Math.min(LINE_SHOWN_CHARS, this.column + by);
    else if (final === "D") this.column = Math.max(0, this.column - by);
    else if (final === "G") this.column = by - 1;
    else if (final === "K" && (count || 0) === 0)
      this.cells.length = Math.min(this.cells.length, this.column);
    else if (final === "K" && count === 2) this.cells.length = 0;
  }
}

/** The end of what is too long when it wrote over itself, else its beginning. */
function readable(raw: readonly RawPiece[], length: number): readonly RawPiece[] {
  if (length <= LINE_READ_CHARS) return raw;
  const text = raw.map((piece) => piece.text).join("");
  const stream = raw[0]?.stream ?? "stdout";
  const again = text.slice(0, -1).indexOf("\r", length - LINE_READ_CHARS);
  if (again !== -1) return [{ text: text.slice(again), stream }];
  return [{ text: text.slice(0, LINE_READ_CHARS), stream }];
}

function spansOf(cells: readonly Cell[]): Span[] {
  const spans: Span[] = [];
  let open: Span | null = null;
  for (const { char, style, stream } of cells) {
    const same = open !== null && open.style === style && open.stream === stream;
    if (open === null || (!same && spans.length < SPANS_MAX)) {
      open = { text: "", style, stream };
      spans.push(open);
    }
    open.text += char;
  }
  for (const span of spans) span.text = visibleText(span.text);
  return spans;
}
