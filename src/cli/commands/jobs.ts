import path from "node:path";
import picocolors from "picocolors";
import type { JobsQuery } from "../../contract/api.ts";
import { AppError } from "../../contract/errors.ts";
import { type Job, Status } from "../../contract/job.ts";
import { formatAge, formatCost, formatCount, formatSize, formatSpan } from "../../contract/units.ts";
import { type Context, connect, interruptible, print, printJson } from "../context.ts";
import { answerRow } from "../event-rows.ts";
import { EXIT } from "../exit-code.ts";
import { mayColour } from "../io.ts";
import { resolveJobId, shortId } from "../job-id.ts";
import { outcomeLines, plural, span, statusText, zipLines } from "../job-summary.ts";
import { cut, plainLine, textWidth } from "../terminal-text.ts";
import { saveZip, slug, titleOf } from "../zip-download.ts";

/** A table on a narrower terminal does without how long jobs took; where no terminal is, a task is cut here. */
const NARROW_COLUMNS = 72;
const WIDE_COLUMNS = 240;

export type ListOptions = { status?: string; label?: string; text?: string; limit: number };

/** `ls`: the newest jobs as a table. */
export async function list(context: Context, options: ListOptions): Promise<number> {
  using interrupt = interruptible(context.io);
  const client = await connect(context, { start: false, signal: interrupt.signal });
  const answer = await client.jobs(listQuery(options), interrupt.signal);
  if (context.json) await printJson(context, answer);
  else if (answer.jobs.length === 0) await print(context, "No jobs.");
  else await print(context, table(context, answer.jobs).join("\n"));
  return EXIT.complete;
}

function listQuery(options: ListOptions): Partial<JobsQuery> {
  const query: Partial<JobsQuery> = { limit: options.limit };
  if (options.status !== undefined) {
    const status = Status.safeParse(options.status);
    if (!status.success) {
      throw new AppError({
        code: "usage",
        message: `'${options.status}' is not a status.`,
        hint: `One of ${Status.options.join(", ")}.`,
      });
    }
    query.status = status.data;
  }
  if (options.label !== undefined) query.label = options.label;
  if (options.text !== undefined) query.text = options.text;
  return query;
}

function table(context: Context, jobs: Job[]): string[] {
  const colours = picocolors.createColors(mayColour(context.io, "stdout"));
  const now = new Date().toISOString();
  const rows = jobs.map((job) => {
    const ended = job.timings.ended_at ?? (job.timings.started_at === null ? null : now);
    return {
      id: shortId(job.job_id),
      status: statusText(job.status, colours),
      age: `${formatAge((Date.parse(now) - Date.parse(job.timings.scheduled_at)) / 1000)} ago`,
      took: ended === null ? "" : span(job.timings.started_at ?? job.timings.scheduled_at, ended),
      task: `${job.status === "error" ? `[${job.reason?.code}] ` : ""}${plainLine(titleOf(job.prompt))}`,
    };
  });
  const head = { id: "ID", status: "STATUS", age: "AGE", took: "TOOK", task: "TASK" };
  const all = [head, ...rows];
  const columns = context.io.terminal.stdout ? context.io.terminal.columns() : WIDE_COLUMNS;
  const shown =
    columns < NARROW_COLUMNS
      ? (["id", "status", "age"] as const)
      : (["id", "status", "age", "took"] as const);
  const widths = shown.map((key) => Math.max(...all.map((row) => textWidth(row[key]))));
  const room = Math.max(12, columns - widths.reduce((sum, width) => sum + width + 2, 0));
  return all.map((row, index) => {
    const cells = shown.map((key, at) => row[key] + " ".repeat((widths[at] ?? 0) - textWidth(row[key])));
    const line = `${cells.join("  ")}  ${cut(row.task, room)}`.trimEnd();
    return index === 0 ? colours.dim(line) : line;
  });
}

/** `status`: all that people want to know about one job. */
export async function status(context: Context, given: string): Promise<number> {
  using interrupt = interruptible(context.io);
  const client = await connect(context, { start: false, signal: interrupt.signal });
  const job = await client.job(await resolveJobId(client, given, interrupt.signal), interrupt.signal);
  if (context.json) await printJson(context, job);
  else await print(context, details(context, job).join("\n"));
  return EXIT.complete;
}

function details(context: Context, job: Job): string[] {
  const colours = picocolors.createColors(mayColour(context.io, "stdout"));
  const field = (name: string, value: string) => `${colours.dim(name.padEnd(10))} ${value}`;
  const { limits, usage, timings, result } = job;
  const lines = [...outcomeLines(job, context.io), field("id", job.job_id)];
  if (job.phase !== "ended") lines.push(field("phase", job.phase));
  lines.push(field("task", plainLine(titleOf(job.prompt))));
  lines.push(
    field(
      "agent",
      plainLine(`${job.agent}${job.model === null ? "" : `, ${job.model}`}, template ${job.template}`),
    ),
  );
  lines.push(field("scheduled", timings.scheduled_at));
  if (timings.started_at !== null) lines.push(field("started", timings.started_at));
  if (timings.ended_at !== null) lines.push(field("ended", timings.ended_at));
  const cpu = `${(usage.cpu_ms / 1000).toFixed(1)} s CPU`;
  lines.push(
    field(
      "used",
      `${cpu}, ${formatSize(usage.memory_peak_bytes)} memory at most, ${formatSize(usage.output_bytes)} output`,
    ),
  );
  lines.push(
    field(
      "limits",
      `${limits.cpus} CPUs, ${formatSize(limits.memory_bytes)} memory, ${formatSize(limits.disk_bytes)} disk, ` +
        `${formatSpan(limits.timeout_s)}, idle ${formatSpan(limits.idle_timeout_s)}`,
    ),
  );
  lines.push(field("may reach", plainLine(egressText(job.egress))));
  const budget = budgetText(job.budget);
  if (budget !== "") lines.push(field("budget", budget));
  if (job.linger_s > 0)
    lines.push(field("follow-up", `stays open ${formatSpan(job.linger_s)} after an answer`));
  const labels = Object.entries(job.labels).map(([name, value]) =>
    value === "" ? name : `${name}=${value}`,
  );
  if (labels.length > 0) lines.push(field("labels", plainLine(labels.join(", "))));
  if (result?.artifact) {
    lines.push(
      field(
        "ZIP",
        `${formatSize(result.artifact.size_bytes)}, ${result.artifact.files} files: sealwork download ${shortId(job.job_id)}`,
      ),
    );
  }
  for (const question of job.approvals) {
    lines.push(`${colours.yellow("?")} Question ${question.n}: ${plainLine(question.title)}`);
    lines.push(answerRow(job.job_id, question));
  }
  return lines;
}

/** What a job may reach, in words. */
function egressText({ policy, hosts }: Job["egress"]): string {
  const listed = hosts.join(", ");
  if (policy === "none") return "nothing";
  if (policy === "allow") return hosts.length === 0 ? "nothing" : listed;
  const named = policy === "packages" ? "the registries of packages" : "the internet";
  return hosts.length === 0 ? named : `${named}, and ${listed}`;
}

function budgetText({ max_tokens, max_cost_usd, max_calls }: Job["budget"]): string {
  const bounds: string[] = [];
  if (max_calls !== null) bounds.push(plural(max_calls, "model call"));
  if (max_tokens !== null) bounds.push(`${formatCount(max_tokens)} tokens`);
  if (max_cost_usd !== null) bounds.push(formatCost(max_cost_usd));
  return bounds.join(", ");
}

/** `cancel`: stops a job; what it has done so far is still packed. */
export async function cancel(context: Context, given: string): Promise<number> {
  using interrupt = interruptible(context.io);
  const client = await connect(context, { start: false, signal: interrupt.signal });
  const id = await resolveJobId(client, given, interrupt.signal);
  const answer = await client.cancel(id, interrupt.signal);
  if (context.json) await printJson(context, answer);
  else if (answer.cancelled)
    await print(context, `Job ${id} is cancelled; its work so far: sealwork download ${shortId(id)}`);
  else if (answer.status === "running")
    await print(
      context,
      `Job ${id} was done and waited; now it ends. Its work: sealwork download ${shortId(id)}`,
    );
  else await print(context, `Job ${id} had ended already: ${answer.status}.`);
  return EXIT.complete;
}

/** `download`: saves the ZIP of an ended job. */
export async function download(context: Context, given: string, options: { out: string }): Promise<number> {
  using interrupt = interruptible(context.io);
  const client = await connect(context, { start: false, signal: interrupt.signal });
  const job = await client.job(await resolveJobId(client, given, interrupt.signal), interrupt.signal);
  const name = `${slug(titleOf(job.prompt))}-${shortId(job.job_id)}.zip`;
  const out = path.resolve(context.io.cwd, options.out);
  const saved = await saveZip(client, job.job_id, { out, name }, interrupt.signal);
  if (context.json) await printJson(context, { job_id: job.job_id, ...saved });
  else await print(context, (await zipLines(saved, job, context.io)).join("\n"));
  return EXIT.complete;
}
