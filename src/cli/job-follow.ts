import type { Job } from "../contract/job.ts";
import type { Client } from "./client.ts";
import { type Context, printJson } from "./context.ts";
import { eventFeed } from "./event-feed.ts";
import { JobDialogue } from "./job-dialogue.ts";
import type { LiveView } from "./live-view.ts";

/** Shows a job from its beginning to its end, and lets a person on a terminal talk to it; with a null view its events as JSON. Returns it as it ended. */
export async function followJob(options: {
  context: Context;
  client: Client;
  job_id: string;
  view: LiveView | null;
  signal: AbortSignal;
}): Promise<Job> {
  const { context, client, job_id, view, signal } = options;
  const on_lost = (lost: boolean) => {
    if (view !== null) view.lost(lost);
    else context.io.stderr.write(lost ? "connection lost, trying again …\n" : "connected again\n");
  };
  using dialogue = view === null ? null : new JobDialogue({ io: context.io, client, job_id, view, signal });
  for await (const event of eventFeed(client, { job_id, after: 0, follow: true, on_lost }, signal)) {
    if (dialogue === null) await printJson(context, event);
    else await dialogue.take(event);
  }
  return client.job(job_id, signal);
}
