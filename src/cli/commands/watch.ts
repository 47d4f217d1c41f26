import type { Job } from "../../contract/job.ts";
import { type Context, connect, interruptible, print, printJson } from "../context.ts";
import { exitCodeOfJob } from "../exit-code.ts";
import { followJob } from "../job-follow.ts";
import { resolveJobId } from "../job-id.ts";
import { outcomeLines } from "../job-summary.ts";
import { createLiveView } from "../live-view.ts";

/**
 * `watch`: the live view of `run` for a job that is there already, from its beginning; questions are answered and words said as there.
 * Ctrl-C leaves the job running. The exit code is the job's.
 */
export async function watch(context: Context, given: string): Promise<number> {
  using interrupt = interruptible(context.io);
  const { signal } = interrupt;
  const client = await connect(context, { start: false, signal });
  const job_id = await resolveJobId(client, given, signal);
  const view = context.json ? null : createLiveView(context.io);
  let job: Job;
  try {
    job = await followJob({ context, client, job_id, view, signal });
  } finally {
    await view?.close();
  }
  if (view === null) await printJson(context, job);
  else await print(context, outcomeLines(job, context.io).join("\n"));
  return exitCodeOfJob(job);
}
