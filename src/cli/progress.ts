import picocolors from "picocolors";
import { formatDuration, formatWholeSeconds } from "../contract/units.ts";
import type { Io } from "./io.ts";
import { mayColour } from "./io.ts";
import { cut, plainLine } from "./terminal-text.ts";

/** How the set-up tells what it does: steps, each with lines of its own, one at a time. */
export type Progress = {
  /** Begins a step; one that was still open counts as done. */
  step(title: string): void;
  /** What the step is doing now. */
  line(text: string): void;
  /** How far it is, which changes all the time: told only where a line can be redrawn. */
  figure(text: string): void;
  /** Ends the open step well. */
  done(): void;
};

/** The steps on stderr: on a terminal with one line that is redrawn, else each line as it comes. Dispose it at the end. */
export function createProgress(io: Io): Progress & Disposable {
  return io.terminal.stderr && io.env.TERM !== "dumb" ? terminalProgress(io) : plainProgress(io);
}

/** A Progress that says nothing. */
export const silentProgress: Progress = { step() {}, line() {}, figure() {}, done() {} };

function plainProgress(io: Io): Progress & Disposable {
  return {
    step: (title) => void io.stderr.write(`${plainLine(title)}\n`),
    line: (text) => void io.stderr.write(`  ${plainLine(text)}\n`),
    figure() {},
    done() {},
    [Symbol.dispose]() {},
  };
}

const TICK_MS = 1000;
/** The line changes at most this often; the newest text waits for the next tick. */
const REDRAW_MS = 100;
/** A step that took less than this leaves no trace: nobody waited for it. */
const WORTH_SAYING_MS = 300;

function terminalProgress(io: Io): Progress & Disposable {
  const colours = picocolors.createColors(mayColour(io, "stderr"));
  let open: { title: string; line: string; since: number } | null = null;
  let ticking: NodeJS.Timeout | null = null;
  let drawn_at = 0;

  const erase = () => io.stderr.write("\r\x1b[2K");
  const draw = () => {
    if (open === null) return;
    drawn_at = performance.now();
    const elapsed = formatWholeSeconds((performance.now() - open.since) / 1000);
    const text = `${open.title} · ${elapsed}${open.line === "" ? "" : ` · ${open.line}`}`;
    const room = Math.max(10, io.terminal.columns() - 3);
    io.stderr.write(`\r\x1b[2K${colours.cyan("▸")} ${cut(text, room)}`);
  };
  const close = (mark: string) => {
    if (ticking !== null) clearInterval(ticking);
    ticking = null;
    if (open === null) return;
    const took = performance.now() - open.since;
    erase();
    if (took >= WORTH_SAYING_MS || mark === "✗") {
      const sign = mark === "✓" ? colours.green(mark) : colours.red(mark);
      io.stderr.write(`${sign} ${open.title} ${colours.dim(formatDuration(took))}\n`);
    }
    open = null;
  };
  const tell = (text: string) => {
    if (open === null) return;
    open.line = plainLine(text);
    if (performance.now() - drawn_at >= REDRAW_MS) draw();
  };
  return {
    step(title) {
      close("✓");
      open = { title: plainLine(title), line: "", since: performance.now() };
      ticking = setInterval(draw, TICK_MS);
      ticking.unref();
      draw();
    },
    line: tell,
    figure: tell,
    done: () => close("✓"),
    [Symbol.dispose]: () => close("✗"),
  };
}
