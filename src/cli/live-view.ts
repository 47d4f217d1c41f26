import picocolors from "picocolors";
import { decodeOutput, type Event } from "../contract/event.ts";
import type { Phase } from "../contract/job.ts";
import { formatCost, formatCount, formatDuration, formatWholeSeconds } from "../contract/units.ts";
import { changeCounts, eventRows, fileRow, type Look } from "./event-rows.ts";
import { type Io, mayColour } from "./io.ts";
import { LiveScreen } from "./live-screen.ts";
import { GUTTER, OutputRows } from "./output-rows.ts";
import { PlanRows } from "./plan-rows.ts";
import { cut, indented, plainLine, plainText, textWidth } from "./terminal-text.ts";

/** Room for how a step ended, on a line that it shares. */
const END_COLUMNS = 12;
/** The agent whose plan is its steps, one for one. */
const SCRIPT_AGENT = "script";

/** What a person types, in place of the status line. `cursor` counts characters of `text`. */
export type Typed = { label: () => string; text: string; cursor: number };

/** Shows a job while it runs. `close` takes the status line away and must be called once. */
export interface LiveView {
  show(event: Event): Promise<void>;
  /** A sentence of ours between the lines of the job. */
  note(text: string): Promise<void>;
  /** Whether the connection to the server is lost at the moment. */
  lost(lost: boolean): void;
  /** Shows what is typed where the status line was; with null that comes back. */
  input(typed: Typed | null): void;
  close(): Promise<void>;
}

/**
 * The view for people: phases, plans, steps, their output behind a gutter, so that no output can pass for a line of ours.
 * On a terminal the last row is a status line (and above it the output line that is not complete yet); these rows
 * are redrawn. Elsewhere lines are only appended, without a single escape code.
 */
export function createLiveView(io: Io): LiveView {
  const keep_colours = mayColour(io, "stdout");
  const colours = picocolors.createColors(keep_colours);
  const started_at = performance.now();
  const screen = new LiveScreen(io, bottomRows);
  const outputs = new OutputRows({ colours, keep_colours, room: () => columns() - GUTTER.length - 1 });
  const plan = new PlanRows(colours, columns);
  let phase: Phase = "queued";
  let step: number | null = null;
  /** Steps of a script, which are known from its beginning; null for other agents. */
  let script_steps: number | null = null;
  let is_script = false;
  let detail = "";
  let tokens = 0;
  let cost_usd = 0;
  let said = "";
  /** The line of a step that writes a file: it takes no time and prints nothing, so its end comes on the same line. */
  let held: string | null = null;
  let is_lost = false;
  let typed: Typed | null = null;

  function columns(): number {
    return screen.redraws ? Math.max(GUTTER.length + 11, io.terminal.columns()) : Number.POSITIVE_INFINITY;
  }

  function look(): Look {
    return { colours, columns: columns() };
  }

  function bottomRows(): string[] {
    const open = outputs.open();
    return [...(open === null ? [] : [open]), typed === null ? statusLine() : inputLine(typed)];
  }

  function statusLine(): string {
    const seconds = (performance.now() - started_at) / 1000;
    const parts = [is_lost ? "connection lost, trying again" : phase];
    if (step !== null && phase === "working") parts.push(`step ${stepNumber(step)}`);
    parts.push(formatWholeSeconds(seconds));
    if (tokens > 0) parts.push(`${formatCount(tokens)} tokens`);
    if (cost_usd > 0) parts.push(formatCost(cost_usd));
    const doing = detail !== "" ? detail : is_script ? null : plan.active;
    if (doing !== null) parts.push(doing);
    return colours.inverse(cut(` ${parts.join(" · ")} `, Math.max(10, io.terminal.columns() - 1)));
  }

  function inputLine({ label, text, cursor }: Typed): string {
    const mark = cut(label(), Math.max(4, io.terminal.columns() - 12));
    const room = Math.max(8, io.terminal.columns() - 1 - textWidth(mark));
    let before = plainLine(text.slice(0, cursor));
    while (textWidth(before) > room) before = before.slice(1);
    const after = cut(plainLine(text.slice(cursor)), room - textWidth(before));
    const back = textWidth(after) > 0 ? `\x1b[${textWidth(after)}D` : "";
    return colours.bold(mark) + before + after + back;
  }

  function stepNumber(number: number): string {
    return script_steps !== null && script_steps >= number ? `${number}/${script_steps}` : `${number}`;
  }

  async function say(rows: string[]): Promise<void> {
    await screen.append([...outputs.flush(), ...rows]);
  }

  function takeHeld(): string | null {
    const line = held;
    held = null;
    return line;
  }

  function stepStart({
    step: number,
    tool,
    title,
  }: Extract<Event, { type: "step.started" }>["data"]): string {
    const shown_number = stepNumber(number);
    const width = screen.redraws ? io.terminal.columns() - (tool === "file" ? END_COLUMNS : 0) : 1000;
    const shown = cut(plainLine(title), Math.max(10, width - shown_number.length - tool.length - 3));
    return `${colours.bold(shown_number)} ${colours.cyan(tool)} ${colours.bold(shown)}`;
  }

  function stepEnd(data: Extract<Event, { type: "step.ended" }>["data"]): string {
    const took = colours.dim(formatDuration(data.duration_ms));
    if (data.ok && data.cause === "exited" && (data.exit_code ?? 0) === 0)
      return `${colours.green("✓")} ${took}`;
    const how =
      data.cause === "exited" ? `exit code ${data.exit_code}` : plainLine(data.cause.replaceAll("_", " "));
    const signal = data.signal === null ? "" : ` (${plainLine(data.signal)})`;
    const why = data.message === null ? "" : `: ${plainLine(data.message)}`;
    const mark = data.ok ? colours.yellow("!") : colours.red("✗");
    return `${mark} ${how}${signal}${why} ${colours.dim("after")} ${took}`;
  }

  async function show(event: Event): Promise<void> {
    switch (event.type) {
      case "job.scheduled":
        is_script = event.data.agent === SCRIPT_AGENT;
        return;
      case "phase.changed":
        phase = event.data.phase;
        detail = "";
        // On a terminal the status line says so, and who waits has said why.
        if (screen.redraws) return screen.append([]);
        if (phase === "queued" || phase === "starting" || phase === "packing") return say([`${phase} …`]);
        return;
      case "image.progress":
        detail = plainLine(event.data.line);
        return screen.redraws ? screen.append([]) : say([`  ${detail}`]);
      case "plan.made":
        if (is_script) script_steps = event.data.steps.length;
        else await say(plan.take(event.data));
        return;
      case "step.started":
        step = event.data.step;
        if (event.data.tool !== "file") return say([stepStart(event.data)]);
        held = stepStart(event.data);
        return screen.append([]);
      case "step.output": {
        const line = takeHeld();
        if (line !== null) await say([line]);
        return screen.append(outputs.take(event.data.stream, decodeOutput(event.data)));
      }
      case "step.ended":
        step = null;
        return say([`${takeHeld() ?? " "} ${stepEnd(event.data)}`]);
      case "file.changed": {
        // A step that writes one file has named it already.
        const counts = changeCounts(event.data, look());
        if (held !== null) held = counts === null ? held : `${held} ${counts}`;
        else await say([fileRow(event.data, look())]);
        return;
      }
      case "message.said":
        if (event.data.from === "agent") said = event.data.text;
        return say(eventRows(event, look()));
      case "agent.waiting":
        // What it has just said is not said twice.
        if (said.includes(event.data.summary.trim())) return;
        return say(indented(`${colours.magenta("agent")}: `, plainText(event.data.summary), columns()));
      case "model.called":
        tokens += event.data.input_tokens + event.data.output_tokens;
        cost_usd += event.data.cost_usd ?? 0;
        return event.data.outcome === "ok" ? screen.append([]) : say(eventRows(event, look()));
      default: {
        const rows = eventRows(event, look());
        if (rows.length > 0) await say(rows);
      }
    }
  }

  return {
    show,
    note: (text) => say(indented("", text, columns())),
    lost(lost) {
      is_lost = lost;
      if (screen.redraws) screen.redraw();
      else io.stderr.write(lost ? "connection lost, trying again …\n" : "connected again\n");
    },
    input(now) {
      typed = now;
      screen.redraw();
    },
    close: () => screen.close([...outputs.flush(), takeHeld()].filter((row) => row !== null)),
  };
}
