import path from "node:path";
import picocolors from "picocolors";
import type { Job, Status } from "../contract/job.ts";
import { type Io, mayColour } from "./io.ts";
import { shortId } from "./job-id.ts";
import { cut, plainLine, plainText } from "./terminal-text.ts";
import { formatDuration, formatSize } from "./units.ts";
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
  if (job.reason !== null) {
    lines.push(`  ${colours.bold(job.reason.code)}: ${plainText(job.reason.message)}`);
    lines.push(`  ${colours.dim("→")} ${plainText(job.reason.hint)}`);
  }
  const exit_code = job.result?.exit_code ?? null;
  if (exit_code !== null && exit_code !== 0) lines.push(`  exit code of the step: ${exit_code}`);
  const summary = job.result?.summary.trim() ?? "";
  if (summary !== "")
    lines.push(
      ...plainText(summary)
        .split("\n")
        .map((line) => `  ${line}`),
    );
  return lines;
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
