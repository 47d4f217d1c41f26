import { StringDecoder } from "node:string_decoder";
import picocolors from "picocolors";
import type { Event } from "../contract/event.ts";
import type { Phase } from "../contract/job.ts";
import { type Io, mayColour, write } from "./io.ts";
import { cut, LinePainter, plainLine, plainText } from "./terminal-text.ts";
import { formatDuration, formatWholeSeconds } from "./units.ts";

/** A line of output that does not end is shown in pieces of this size. */
const LINE_MAX_CHARS = 16 * 1024;
const REDRAW_MS = 100;
const TICK_MS = 1000;
const GUTTER = "  │ ";
/** Room for how a step ended, on a line that it shares. */
const END_COLUMNS = 12;

type Stream = "stdout" | "stderr";
type Output = { decoder: StringDecoder; painter: LinePainter; rest: string };

/** Shows a job while it runs. `close` takes the status line away and must be called once. */
export interface LiveView {
  show(event: Event): Promise<void>;
  /** A sentence of ours between the lines of the job. */
  note(text: string): Promise<void>;
  /** Whether the connection to the server is lost at the moment. */
  lost(lost: boolean): void;
  close(): Promise<void>;
}

/**
 * The view for people: phases, steps, their output behind a gutter, so that no output can pass for a line of ours.
 * On a terminal the last row is a status line (and above it the output line that is not complete yet); these rows
 * are redrawn at most ten times a second. Elsewhere lines are only appended, without a single escape code.
 */
export function createLiveView(io: Io): LiveView {
  const redraws = io.terminal.stdout && io.env.TERM !== "dumb";
  const colours = picocolors.createColors(mayColour(io, "stdout"));
  const started_at = performance.now();
  const outputs: Record<Stream, Output> = { stdout: output(), stderr: output() };
  let latest: Stream = "stdout";
  let phase: Phase = "queued";
  let step: { number: number; title: string; since: number } | null = null;
  let planned = 0;
  let detail = "";
  /** The line of a step that writes a file: it takes no time and prints nothing, so its end comes on the same line. */
  let held: string | null = null;
  let is_lost = false;
  let drawn_rows = 0;
  let drawn = "";
  let drawn_at = 0;
  let closed = false;
  let soon: NodeJS.Timeout | null = null;
  const ticking = redraws ? setInterval(redraw, TICK_MS) : null;
  ticking?.unref();

  function output(): Output {
    return {
      decoder: new StringDecoder("utf8"),
      painter: new LinePainter(mayColour(io, "stdout")),
      rest: "",
    };
  }

  function gutter(stream: Stream): string {
    return stream === "stderr" ? colours.red(GUTTER) : colours.dim(GUTTER);
  }

  function room(): number {
    return redraws ? Math.max(10, io.terminal.columns() - GUTTER.length - 1) : Number.POSITIVE_INFINITY;
  }

  function erased(): string {
    const codes = drawn_rows === 0 ? "" : `\r\x1b[2K${"\x1b[1A\x1b[2K".repeat(drawn_rows - 1)}`;
    drawn_rows = 0;
    drawn = "";
    return codes;
  }

  function statusLine(): string {
    const seconds = (performance.now() - started_at) / 1000;
    const parts = [is_lost ? "connection lost, trying again" : phase];
    if (step !== null && phase === "working") {
      parts.push(`step ${step.number}${planned >= step.number ? `/${planned}` : ""}`);
    }
    parts.push(formatWholeSeconds(seconds));
    if (detail !== "") parts.push(detail);
    return colours.inverse(cut(` ${parts.join(" · ")} `, Math.max(10, io.terminal.columns() - 1)));
  }

  function redraw(): void {
    if (soon !== null) clearTimeout(soon);
    soon = null;
    const { rest, painter } = outputs[latest];
    const rows = rest === "" ? [] : [gutter(latest) + painter.peek(rest, room())];
    rows.push(statusLine());
    const text = rows.join("\n");
    if (text === drawn) return;
    io.stdout.write(erased() + text);
    drawn = text;
    drawn_rows = rows.length;
    drawn_at = performance.now();
  }

  /** Appends whole rows above the status line, which comes back at once or, in a flood, a moment later. */
  async function append(rows: string[]): Promise<void> {
    if (rows.length > 0) await write(io.stdout, `${erased()}${rows.join("\n")}\n`);
    if (!redraws || closed) return;
    const wait = REDRAW_MS - (performance.now() - drawn_at);
    if (wait <= 0) redraw();
    else soon ??= setTimeout(redraw, wait);
  }

  function flushed(stream: Stream): string[] {
    const { painter, rest } = outputs[stream];
    outputs[stream].rest = "";
    return rest === "" ? [] : painter.paint(rest, room()).map((row) => gutter(stream) + row);
  }

  async function showOutput(stream: Stream, bytes: Buffer): Promise<void> {
    // Where nothing is redrawn, or the other stream comes in between, the open line of that one is closed first.
    const rows = latest === stream ? [] : flushed(latest);
    latest = stream;
    const own = outputs[stream];
    const lines = (own.rest + own.decoder.write(bytes)).split("\n");
    own.rest = lines.pop() ?? "";
    for (const line of lines) {
      for (const row of own.painter.paint(line.replace(/\r$/, ""), room())) rows.push(gutter(stream) + row);
    }
    if (own.rest.length > LINE_MAX_CHARS) rows.push(...flushed(stream));
    await append(rows);
  }

  async function say(text: string): Promise<void> {
    await append([...flushed("stdout"), ...flushed("stderr"), text]);
  }

  function takeHeld(): string | null {
    const line = held;
    held = null;
    return line;
  }

  function stepEnd(data: Extract<Event, { type: "step.ended" }>["data"]): string {
    const took = colours.dim(formatDuration(data.duration_ms));
    if (data.ok && data.exit_code === 0) return `${colours.green("✓")} ${took}`;
    const how =
      data.cause === "exited" ? `exit code ${data.exit_code}` : plainLine(data.cause.replaceAll("_", " "));
    const signal = data.signal === null ? "" : ` (${plainLine(data.signal)})`;
    const why = data.message === null ? "" : `: ${plainLine(data.message)}`;
    const mark = data.ok ? colours.yellow("!") : colours.red("✗");
    return `${mark} ${how}${signal}${why} ${colours.dim("after")} ${took}`;
  }

  async function show(event: Event): Promise<void> {
    switch (event.type) {
      case "phase.changed":
        phase = event.data.phase;
        detail = "";
        // On a terminal the status line says so.
        if (redraws) await append([]);
        else if (phase !== "ended" && phase !== "working") await say(`${phase} …`);
        return;
      case "image.progress":
        detail = plainLine(event.data.line);
        await (redraws ? append([]) : say(`  ${detail}`));
        return;
      case "plan.made":
        planned = event.data.steps.length;
        return;
      case "step.started": {
        const { tool, title } = event.data;
        step = { number: event.data.step, title: plainLine(title), since: performance.now() };
        const number = planned >= step.number ? `${step.number}/${planned}` : `${step.number}`;
        const columns = redraws ? io.terminal.columns() - (tool === "file" ? END_COLUMNS : 0) : 1000;
        const shown = cut(step.title, Math.max(10, columns - number.length - tool.length - 3));
        const line = `${colours.bold(number)} ${colours.cyan(tool)} ${colours.bold(shown)}`;
        if (tool !== "file") return say(line);
        held = line;
        return append([]);
      }
      case "step.output":
        return showOutput(event.data.stream, Buffer.from(event.data.data, event.data.encoding));
      case "step.ended":
        step = null;
        return say(`${takeHeld() ?? " "} ${stepEnd(event.data)}`);
      case "message.said":
        return say(`${colours.magenta(event.data.from)}: ${plainText(event.data.text)}`);
      case "limit.reached":
        return say(colours.yellow(`! ${plainLine(event.data.message)}`));
      case "sandbox.replaced":
        return say(colours.yellow(`! the sandbox was replaced: ${plainLine(event.data.reason)}`));
      default:
        return;
    }
  }

  return {
    show,
    note: say,
    lost(lost) {
      is_lost = lost;
      if (redraws) redraw();
      else io.stderr.write(lost ? "connection lost, trying again …\n" : "connected again\n");
    },
    async close() {
      closed = true;
      if (ticking !== null) clearInterval(ticking);
      if (soon !== null) clearTimeout(soon);
      const rows = [...flushed("stdout"), ...flushed("stderr"), takeHeld()].filter((row) => row !== null);
      await write(io.stdout, erased() + rows.map((row) => `${row}\n`).join(""));
    },
  };
}
