import { AppError } from "../contract/errors.ts";
import type { Client } from "./client.ts";
import { eventFeed } from "./event-feed.ts";

/** Waits until a job has ended, and then throws AppError `conflict`, which says so; or the signal's reason. */
export async function untilJobEnds(client: Client, job_id: string, signal: AbortSignal): Promise<never> {
  const feed = eventFeed(client, { job_id, after: 0, follow: true, types: ["job.ended"] }, signal);
  for await (const _ended of feed) break;
  throw new AppError({ code: "conflict", message: `Job ${job_id} has ended, and its sandbox with it.` });
}
