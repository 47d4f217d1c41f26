import { LinePainter, type RawPiece, type TerminalLine } from "./terminal-line.ts";
import { PLAIN, styleAfter, type TextStyle } from "./text-style.ts";

export type TerminalTail = {
  /** The last lines, as many as were wanted; the very last may still be going on. */
  lines: TerminalLine[];
  /** How many lines there are in all. */
  total: number;
};

/** The end of a piece of output as lines. Only what is shown is taken apart, so it is cheap enough to be done anew whenever more comes. */
export function terminalTail(pieces: readonly RawPiece[], count: number): TerminalTail {
  const raw = linesOf(pieces);
  const from = Math.max(0, raw.length - count);
  const painter = new LinePainter(styleAt(raw.slice(0, from)));
  return { lines: raw.slice(from).map((line) => painter.paint(line)), total: raw.length };
}

/** All lines of a piece of output that is not large. */
export function terminalLines(pieces: readonly RawPiece[]): TerminalLine[] {
  return terminalTail(pieces, Number.POSITIVE_INFINITY).lines;
}

function linesOf(pieces: readonly RawPiece[]): RawPiece[][] {
  const lines: RawPiece[][] = [];
  let line: RawPiece[] = [];
  for (const { text, stream } of pieces) {
    for (const [index, part] of text.split("\n").entries()) {
      if (index > 0) {
        lines.push(line);
        line = [];
      }
      if (part !== "") line.push({ text: part, stream });
    }
  }
  if (line.length > 0) lines.push(line);
  return lines;
}

const RESET = /\x1b\[0*m/;
const SGR = /\x1b\[([0-9;:]*)m/g;

/** The style that these lines leave behind: what was set since it was last taken back. */
function styleAt(lines: readonly RawPiece[][]): TextStyle {
  const reset = lines.findLastIndex((line) => line.some(({ text }) => RESET.test(text)));
  let style = PLAIN;
  for (const line of lines.slice(Math.max(0, reset)))
    for (const { text } of line)
      for (const [, parameters = ""] of text.matchAll(SGR)) style = styleAfter(style, parameters);
  return style;
}
