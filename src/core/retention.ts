import { setImmediate } from "node:timers/promises";
import type { Dependencies } from "./dependencies.ts";

/** Jobs looked at and events removed at a time, so small that no request waits for it. */
const JOBS_SLICE = 50;
const EVENTS_SLICE = 2_000;

/** Removes what is older than the configured age, slice by slice, until nothing is. Files go first: an event log without its ZIP is no harm. */
export async function removeExpired(
  dependencies: Pick<Dependencies, "store" | "artifacts" | "clock" | "config">,
  signal: AbortSignal,
): Promise<number> {
  const { store, artifacts, clock, config } = dependencies;
  const { max_age_s } = config.retention;
  if (max_age_s === null) return 0;
  const before = new Date(Date.parse(clock.now()) - max_age_s * 1000).toISOString();
  let removed = 0;
  while (!signal.aborted) {
    const expired = await store.expiredJobs(before, JOBS_SLICE);
    for (const job_id of expired) {
      if (signal.aborted) return removed;
      await artifacts.remove(job_id);
      while (!(await store.removeJobSlice(job_id, EVENTS_SLICE))) await setImmediate();
      removed += 1;
    }
    if (expired.length < JOBS_SLICE) return removed;
  }
  return removed;
}
