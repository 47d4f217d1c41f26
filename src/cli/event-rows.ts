import type picocolors from "picocolors";
import type { Event, EventType } from "../contract/event.ts";
import { formatCount, formatSize, formatSpan, formatWholeSeconds } from "../contract/units.ts";
import { shortId } from "./job-id.ts";
import { GUTTER } from "./output-rows.ts";
import { indented, LinePainter, plainLine, plainText } from "./terminal-text.ts";

type Data<T extends EventType> = Extract<Event, { type: T }>["data"];

/** How rows look: colours, and how wide a row may be (Infinity where no terminal is). */
export type Look = { colours: ReturnType<typeof picocolors.createColors>; columns: number };

/** Rows of a question that are shown; its detail can be 8,000 line breaks. */
const DETAIL_ROWS = 40;
const DISPLAY_ROWS = 6;

/**
 * The rows for an event that needs no memory of those before it; none for one that people need not see. What agents and sandboxes say
 * is untrusted: it stands behind a mark or indented, so that no line of it can pass for one of ours.
 */
export function eventRows(event: Event, look: Look): string[] {
  const { yellow, green, dim, magenta, bold } = look.colours;
  switch (event.type) {
    case "message.said":
      return indented(`${magenta(event.data.from)}: `, plainText(event.data.text), look.columns);
    case "step.displayed":
      return displayed(event.data, event.job_id, look);
    case "model.called":
      return event.data.outcome === "ok" ? [] : [yellow(`! ${modelTrouble(event.data)}`)];
    case "egress.denied":
      return denied(event.data, look);
    case "egress.opened": {
      const by = event.data.by === "approval" ? "it was allowed" : "it was asked for";
      return [`${green("+")} ${bold(plainLine(event.data.host))} is open for this job: ${by}`];
    }
    case "approval.asked":
      return asked(event.data, event.job_id, look);
    case "approval.given":
      return [given(event.data, look)];
    case "conversation.compacted": {
      const { tokens_before, tokens_after, turns } = event.data;
      const sizes = `${formatCount(tokens_before)} to ${formatCount(tokens_after)} tokens`;
      return [dim(`  the conversation was compacted: ${turns} turns, from ${sizes}`)];
    }
    case "port.opened": {
      const { port, process } = event.data;
      const who = process === null ? "something" : plainLine(process);
      return [
        `${green("+")} ${who} listens on port ${bold(String(port))}: sealwork open ${shortId(event.job_id)} ${port}`,
      ];
    }
    case "control.changed": {
      const { held_by } = event.data;
      if (held_by === null) return [`${green("+")} the desktop was given back: the agent may use it again`];
      return [yellow(`! ${plainLine(held_by)} drives the desktop: the agent's desktop tool waits`)];
    }
    case "service.ended": {
      const { service, cause, message } = event.data;
      return cause === "failed"
        ? [yellow(`! ${service} failed: ${plainLine(message ?? "no reason is known")}`)]
        : [];
    }
    case "limit.reached":
      return [yellow(`! ${plainLine(event.data.message)}`)];
    case "sandbox.replaced":
      return [yellow(`! the sandbox was replaced: ${plainLine(event.data.reason)}`)];
    default:
      return [];
  }
}

/** How a question is answered by a command. */
export function answerRow(
  job_id: string,
  { n, expires_at }: { n: number; expires_at: string | null },
): string {
  const left_s = expires_at === null ? null : Math.max(0, (Date.parse(expires_at) - Date.now()) / 1000);
  const silence = left_s === null ? "" : `; no answer for ${formatWholeSeconds(left_s)} means no`;
  return `  → sealwork approve ${shortId(job_id)} ${n}, or with --deny${silence}`;
}

/** What people can do about an agent that waits after its answer; `how` they say more to it. */
export function followUpRow(linger_s: number, how: string): string {
  return `The job stays open ${formatSpan(linger_s)} for a follow-up: ${how}. Then, or when it is cancelled, its work is packed.`;
}

/** What people can do in a sandbox that stays open after a script, which takes no messages. */
export function stayRow(linger_s: number, job_id: string): string {
  const id = shortId(job_id);
  return `The job stays open ${formatSpan(linger_s)} for whoever is at work in it: sealwork open ${id}, sealwork shell ${id}. Then, or when it is cancelled, its work is packed.`;
}

export function sendCommand(job_id: string): string {
  return `sealwork send ${shortId(job_id)} "…"`;
}

/** What changed in a file, as `name +12 −3`; null for one whose diff says nothing. */
export function changeCounts(data: Data<"file.changed">, { colours }: Look): string | null {
  if (data.diff === null || data.diff === "") return null;
  const lines = data.diff.split("\n").filter((line) => !/^(\+\+\+|---)( |$)/.test(line));
  const count = (sign: string) => lines.filter((line) => line.startsWith(sign)).length;
  // A diff that was cut has more than what is here.
  const more = data.diff_blob === null ? "" : "…";
  return `${colours.green(`+${count("+")}${more}`)} ${colours.red(`−${count("-")}${more}`)}`;
}

export function fileRow(data: Data<"file.changed">, look: Look): string {
  const { green, cyan, red, dim } = look.colours;
  const marks = { created: green("A"), modified: cyan("M"), deleted: red("D") };
  const counts =
    changeCounts(data, look) ?? (data.change === "deleted" ? "" : dim(formatSize(data.size_bytes)));
  return `  ${marks[data.change]} ${plainLine(data.path)} ${counts}`.trimEnd();
}

function displayed({ mime, blob, text }: Data<"step.displayed">, job_id: string, look: Look): string[] {
  const { cyan, dim } = look.colours;
  const shown = guttered(text ?? "", DISPLAY_ROWS, look);
  // The text of a value says what it is; what is kept as a blob is named, with the route that gives it.
  if (blob === null && mime === "text/plain") return shown;
  const where = blob === null ? [] : [`  ${dim(`→ /jobs/${job_id}/blobs/${blob}`)}`];
  return [`  ${cyan("◆")} ${plainLine(mime)}`, ...shown, ...where];
}

function modelTrouble({ provider, model, outcome, http_status, attempts }: Data<"model.called">): string {
  const what = {
    ok: "answered",
    refused: "refused the call",
    cut: "broke off in its answer",
    failed: "did not answer",
  }[outcome];
  const status = http_status === null ? "" : ` (HTTP ${http_status})`;
  return `${plainLine(`${provider}/${model}`)} ${what}${status}${attempts > 1 ? ` after ${attempts} attempts` : ""}`;
}

function denied(data: Data<"egress.denied">, look: Look): string[] {
  const times = data.count > 1 ? ` (${data.count} times)` : "";
  // The message says how to allow it, where it can be allowed.
  const text = `${plainLine(data.host)}:${data.port} was not reached${times}: ${plainLine(data.message)}`;
  return indented(`${look.colours.yellow("!")} `, text, look.columns);
}

function asked({ n, kind, title, detail }: Data<"approval.asked">, job_id: string, look: Look): string[] {
  const text = `Question ${n} (${kind}): ${plainLine(title)}`;
  const rows = indented(`${look.colours.yellow("?")} `, text, look.columns);
  if (detail === title) return rows;
  return [...rows, ...guttered(detail, DETAIL_ROWS, look, `: sealwork status ${shortId(job_id)} --json`)];
}

function given({ n, decision, by }: Data<"approval.given">, { colours }: Look): string {
  const why = { person: "", timeout: ", as nobody answered in time", job_end: ", as the job ends" }[by];
  return decision === "allow"
    ? `${colours.green("✓")} Question ${n}: allowed${why}.`
    : `${colours.red("✗")} Question ${n}: denied${why}.`;
}

/** Untrusted lines behind a gutter, at most so many rows; `elsewhere` says where the rest can be seen. */
function guttered(text: string, rows_max: number, look: Look, elsewhere = ""): string[] {
  if (text.trim() === "") return [];
  const painter = new LinePainter(false);
  const room = Math.max(20, look.columns - GUTTER.length - 1);
  const rows = text
    .trimEnd()
    .split(/\r?\n/)
    .flatMap((line) => painter.paint(line, room));
  const shown = rows.slice(0, rows_max).map((row) => look.colours.dim(GUTTER) + row);
  if (rows.length > rows_max)
    shown.push(look.colours.dim(`    … and ${rows.length - rows_max} more rows${elsewhere}`));
  return shown;
}
