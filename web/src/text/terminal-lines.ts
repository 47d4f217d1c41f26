import { LinePainter, type RawPiece, type TerminalLine } from "./terminal-line.ts";
import { PLAIN } from "./text-style.ts";

/** The lines of a piece of output; the last one may still be going on. Cheap enough for what a card shows to be done anew each time. */
export function terminalLines(pieces: readonly RawPiece[]): TerminalLine[] {
  const painter = new LinePainter(PLAIN);
  const lines: TerminalLine[] = [];
  let line: RawPiece[] = [];
  for (const { text, stream } of pieces) {
    const parts = text.split("\n");
    for (const [index, part] of parts.entries()) {
      if (index > 0) {
        lines.push(painter.paint(line));
        line = [];
      }
      if (part !== "") line.push({ text: part, stream });
    }
  }
  if (line.length > 0) lines.push(painter.paint(line));
  return lines;
}
