import { mkdtemp, realpath, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import picocolors from "picocolors";
import { AppError } from "../../contract/errors.ts";
import { type MergeOutcome, mergeChanges } from "../change-merge.ts";
import { type Context, connect, interruptible, print, printJson } from "../context.ts";
import { EXIT } from "../exit-code.ts";
import { isRepository } from "../git.ts";
import { mayColour } from "../io.ts";
import { resolveJobId, shortId } from "../job-id.ts";
import { plural } from "../job-summary.ts";
import { plainLine } from "../terminal-text.ts";
import { saveZip } from "../zip-download.ts";

const PATHS_SHOWN = 200;

/**
 * `apply`: merges what a job changed into the folder that was sent. In a git work tree conflicts are left marked and
 * the exit code is 1; outside one nothing is written when there is any conflict.
 */
export async function apply(context: Context, given: string, options: { dir: string }): Promise<number> {
  using interrupt = interruptible(context.io);
  const { signal } = interrupt;
  const folder = await existingFolder(path.resolve(context.io.cwd, options.dir));
  const client = await connect(context, { start: false, signal });
  const job = await client.job(await resolveJobId(client, given, signal), signal);
  if (!job.patch) {
    throw new AppError({
      code: "usage",
      message: `Job ${job.job_id} keeps no patch, so there is nothing to apply.`,
      hint: "Run it with --dir FOLDER; its result as it is: sealwork download.",
    });
  }
  const env = context.io.env;
  const temporary = await mkdtemp(path.join(env.TMPDIR || tmpdir(), "sealwork-zip-"));
  try {
    const saved = await saveZip(client, job.job_id, { out: temporary, name: "job.zip" }, signal);
    const in_repository = await isRepository({ cwd: folder, env, signal });
    const job_name = `job-${shortId(job.job_id)}`;
    const outcome = await mergeChanges({
      zip: saved.path,
      folder,
      job_name,
      write_conflicts: in_repository,
      env,
      signal,
    });
    if (context.json) await printJson(context, answer(job.job_id, outcome));
    else await print(context, summary(context, outcome).join("\n"));
    return outcome.conflicts.length > 0 ? EXIT.error : EXIT.complete;
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
}

async function existingFolder(folder: string): Promise<string> {
  const found = await stat(folder).catch(() => null);
  if (found?.isDirectory()) return realpath(folder);
  throw new AppError({
    code: "usage",
    message: `${folder} is not a folder.`,
    hint: "Give --dir the folder that was sent.",
  });
}

function answer(job_id: string, outcome: MergeOutcome): object {
  const changes = outcome.changes.map(({ path: name, kind }) => ({ path: name, kind }));
  return {
    job_id,
    applied: outcome.written,
    changes,
    conflicts: outcome.conflicts,
    left_out: outcome.left_out,
  };
}

function summary(context: Context, outcome: MergeOutcome): string[] {
  const colours = picocolors.createColors(mayColour(context.io, "stdout"));
  const { changes, conflicts, left_out, written } = outcome;
  const lines = left_out.map((note) => `${colours.yellow("!")} ${plainLine(note)}`);
  const conflicting = new Set(conflicts);
  const changed = new Set(changes.map((change) => change.path));
  const marks = { added: colours.green("A"), modified: colours.cyan("M"), deleted: colours.red("D") };
  const clean = changes.filter((change) => !conflicting.has(change.path));
  if (written) {
    for (const change of clean.slice(0, PATHS_SHOWN))
      lines.push(`${marks[change.kind]} ${plainLine(change.path)}`);
    if (clean.length > PATHS_SHOWN) lines.push(colours.dim(`… and ${clean.length - PATHS_SHOWN} more`));
  }
  for (const name of conflicts) {
    const kept =
      written && !changed.has(name) ? colours.dim(" (yours was kept; the job's is in its ZIP)") : "";
    lines.push(`${colours.yellow("C")} ${plainLine(name)}${kept}`);
  }
  if (conflicts.length === 0 && changes.length === 0)
    return [...lines, "Nothing to change: the folder has it all already."];
  if (conflicts.length === 0) return [...lines, `${plural(changes.length, "file")} changed.`];
  if (!written) {
    return [
      ...lines,
      `${plural(conflicts.length, "conflict")}, so nothing was written: this folder is in no git repository.`,
    ];
  }
  return [
    ...lines,
    `${plural(clean.length, "file")} changed, ${plural(conflicts.length, "conflict")} left marked for you.`,
  ];
}
