import path from "node:path";
import picocolors from "picocolors";
import type { Job, Status, Usage } from "../contract/job.ts";
import { formatCost, formatCount, formatDuration, formatSize } from "../contract/units.ts";
import { type Io, mayColour } from "./io.ts";
import { shortId } from "./job-id.ts";
import { cut, indented, plainLine, plainText } from "./terminal-text.ts";
import { type ZipEntry, zipEntries } from "./zip-contents.ts";
import type { Saved } from "./zip-download.ts";

const FILES_SHOWN = 8;

type Colours = ReturnType<typeof picocolors.createColors>;

/** A status as a coloured mark and word. */
export function statusText(status: Status, colours: Colours): string {
  const texts: Record<Status, () => string> = {
    pending: () => colours.dim("· pending"),
    running: () => colours.cyan("▸ running"),
    complete: () => colours.green("✓ complete"),
    error: () => colours.red("✗ error"),
    cancelled: () => colours.yellow("■ cancelled"),
  };
  return texts[status]();
}

/** How a job ended, why and what to do about it; lines without the last line break. */
export function outcomeLines(job: Job, io: Io): string[] {
  const colours = picocolors.createColors(mayColour(io, "stdout"));
  const took = job.timings.ended_at === null ? null : span(job.timings.scheduled_at, job.timings.ended_at);
  const lines = [`${statusText(job.status, colours)}${took === null ? "" : colours.dim(` in ${took}`)}`];
  const { reason } = job;
  if (reason !== null) {
    lines.push(...paragraph(io, "  ", `${colours.bold(reason.code)}: ${plainText(reason.message)}`));
    lines.push(...paragraph(io, `  ${colours.dim("→")} `, plainText(reason.hint)));
  }
  const summary = job.result?.summary.trim() ?? "";
  // An agent that failed often has nothing to sum up but why.
  if (summary !== "" && !reason?.message.includes(summary))
    lines.push(...paragraph(io, "  ", plainText(summary)));
  const models = modelUsageText(job.usage);
  if (models !== null) lines.push(colours.dim(`  ${models}`));
  return lines;
}

/** What models were used for a job; null when none was called. */
export function modelUsageText({ model_calls, input_tokens, output_tokens, cost_usd }: Usage): string | null {
  if (model_calls === 0) return null;
  const tokens = `${formatCount(input_tokens)} tokens in, ${formatCount(output_tokens)} out`;
  return `${plural(model_calls, "model call")}, ${tokens}${cost_usd > 0 ? `, ${formatCost(cost_usd)}` : ""}`;
}

/** `indented` for stdout: broken to the width of a terminal, elsewhere not. */
export function paragraph(io: Io, mark: string, text: string): string[] {
  return indented(mark, text, io.terminal.stdout ? io.terminal.columns() : Number.POSITIVE_INFINITY);
}

/** Where the ZIP lies and the largest part of what is in it. */
export async function zipLines(saved: Saved, job: Job, io: Io): Promise<string[]> {
  const colours = picocolors.createColors(mayColour(io, "stdout"));
  const files: ZipEntry[] = [];
  let count = 0;
  for await (const entry of zipEntries(saved.path)) {
    if (entry.path.startsWith(".sealwork/")) continue;
    count += 1;
    if (files.length < FILES_SHOWN) files.push(entry);
  }
  const shown = path.relative(io.cwd, saved.path);
  const where = shown.startsWith("..") ? saved.path : shown;
  const lines = [
    `${colours.bold(where)} ${colours.dim(`(${formatSize(saved.size_bytes)}, ${plural(count, "file")})`)}`,
  ];
  for (const file of files) {
    lines.push(`  ${cut(plainLine(file.path), 60)} ${colours.dim(formatSize(file.size_bytes))}`);
  }
  if (count > files.length) lines.push(colours.dim(`  … and ${count - files.length} more`));
  if (job.patch && count > 0)
    lines.push(colours.dim(`  bring the changes back: sealwork apply ${shortId(job.job_id)}`));
  return lines;
}

export function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

export function span(from: string, to: string): string {
  return formatDuration(Math.max(0, Date.parse(to) - Date.parse(from)));
}
