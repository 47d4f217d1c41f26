import path from "node:path";
import picocolors from "picocolors";
import type { ScheduleAnswer } from "../../contract/api.ts";
import { AppError } from "../../contract/errors.ts";
import type { Job } from "../../contract/job.ts";
import { formatSize } from "../../contract/units.ts";
import type { Client } from "../client.ts";
import { type Context, connect, Interrupted, print, printJson } from "../context.ts";
import { EXIT, exitCodeOfJob } from "../exit-code.ts";
import { mayColour, write } from "../io.ts";
import { followJob } from "../job-follow.ts";
import { shortId } from "../job-id.ts";
import { outcomeLines, plural, zipLines } from "../job-summary.ts";
import { createLiveView, type LiveView } from "../live-view.ts";
import { type TaskOptions, type TaskRequest, taskRequest } from "../task-request.ts";
import { cut, plainLine } from "../terminal-text.ts";
import { saveZip } from "../zip-download.ts";

export type RunOptions = TaskOptions & { out: string; detach?: boolean };

/**
 * Schedules a task, shows it live and saves its ZIP. The first Ctrl-C cancels the job and still fetches what there
 * is, the second quits. Before the job exists one Ctrl-C is enough.
 */
export async function run(context: Context, task: string, options: RunOptions): Promise<number> {
  using interrupts = new RunInterrupts(context);
  const { signal } = interrupts;
  const wanted = await taskRequest(context.io, task, options, signal);
  await tellListing(context, wanted);
  const client = await connect(context, { start: true, signal });
  interrupts.scheduling(wanted.upload !== null);
  const scheduled = await client.schedule(wanted.request, wanted.upload, signal);
  if (options.detach === true) {
    await tellDetached(context, scheduled);
    return EXIT.complete;
  }
  const view = context.json ? null : createLiveView(context.io);
  let job: Job;
  try {
    await view?.note(heading(context, scheduled, wanted.name));
    interrupts.following(client, scheduled.job_id, view);
    job = await followJob({ context, client, job_id: scheduled.job_id, view, signal });
  } finally {
    await view?.close();
  }
  interrupts.ended();
  if (view !== null) await print(context, outcomeLines(job, context.io).join("\n"));
  const name = `${wanted.name}-${shortId(job.job_id)}.zip`;
  const saved = await saveZip(
    client,
    job.job_id,
    { out: path.resolve(context.io.cwd, options.out), name },
    signal,
  );
  if (view === null) await printJson(context, { ...job, saved });
  else await print(context, (await zipLines(saved, job, context.io)).join("\n"));
  return exitCodeOfJob(job);
}

function heading(context: Context, scheduled: ScheduleAnswer, name: string): string {
  const colours = picocolors.createColors(mayColour(context.io, "stdout"));
  const { terminal } = context.io;
  const room = terminal.stdout ? Math.max(12, terminal.columns() - scheduled.job_id.length - 1) : name.length;
  return `${colours.bold(cut(name, room))} ${colours.dim(scheduled.job_id)}`;
}

async function tellListing(context: Context, wanted: TaskRequest): Promise<void> {
  if (wanted.listing === null) return;
  const { entries, size_bytes, notes, by_git } = wanted.listing;
  for (const note of notes) await write(context.io.stderr, `! ${plainLine(note)}\n`);
  const how = by_git ? "what git tracks or does not ignore" : "no git here";
  await write(
    context.io.stderr,
    `sending ${plural(entries.length, "file")}, ${formatSize(size_bytes)} (${how})\n`,
  );
}

async function tellDetached(context: Context, scheduled: ScheduleAnswer): Promise<void> {
  if (context.json) return printJson(context, scheduled);
  await print(context, scheduled.job_id);
  const id = shortId(scheduled.job_id);
  await write(context.io.stderr, `watch it: sealwork watch ${id}\nget it:   sealwork download ${id}\n`);
}

/** What Ctrl-C means depends on how far the run has come. */
class RunInterrupts {
  readonly #controller = new AbortController();
  readonly #registration: Disposable;
  readonly #context: Context;
  #stage: "before" | "scheduling" | "following" | "ended" = "before";
  #count = 0;
  #job: { client: Client; id: string; view: LiveView | null } | null = null;

  constructor(context: Context) {
    this.#context = context;
    this.#registration = context.io.on_interrupt(() => this.#interrupt());
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** A short request is let through, so that its job is known and can be cancelled; an upload is stopped. */
  scheduling(has_upload: boolean): void {
    this.#stage = has_upload ? "before" : "scheduling";
  }

  following(client: Client, id: string, view: LiveView | null): void {
    this.#job = { client, id, view };
    this.#stage = "following";
    if (this.#count > 0) this.#cancel();
  }

  ended(): void {
    this.#stage = "ended";
  }

  #interrupt(): void {
    this.#count += 1;
    if (this.#stage === "before")
      this.#controller.abort(new Interrupted("Interrupted; no job was scheduled."));
    else if (this.#count > 1 || this.#stage === "ended")
      this.#controller.abort(new Interrupted(this.#later()));
    else if (this.#stage === "following") this.#cancel();
  }

  #later(): string {
    if (this.#job === null) return "Interrupted; the job may have been scheduled: see `sealwork ls`.";
    return `Interrupted. Get the work of the job later: sealwork download ${shortId(this.#job.id)}`;
  }

  #cancel(): void {
    const job = this.#job;
    if (job === null) return;
    this.#tell("Cancelling; Ctrl-C again quits at once.");
    job.client.cancel(job.id, this.signal).catch((error: unknown) => {
      if (this.signal.aborted) return;
      this.#tell(
        `The job could not be cancelled: ${error instanceof AppError ? error.message : String(error)}`,
      );
    });
  }

  #tell(text: string): void {
    if (this.#job?.view) void this.#job.view.note(text);
    else this.#context.io.stderr.write(`${text}\n`);
  }

  [Symbol.dispose](): void {
    this.#registration[Symbol.dispose]();
  }
}
