import { useState } from "react";
import type { Job } from "../../../src/contract/job.ts";
import { isNewer } from "../api/job-lists.ts";

/**
 * Holds back jobs that come while somebody reads further down, so that nothing moves under their eyes. `shown` are the others; `show` shows
 * all again.
 */
export function useNewFirst(
  jobs: readonly Job[],
  at_top: boolean,
): { shown: readonly Job[]; held: number; show: () => void } {
  const [top, setTop] = useState<Job | null>(null);
  const first = jobs[0] ?? null;
  // Decided while rendering: a frame later they would have been seen already.
  if (at_top && top !== null) setTop(null);
  if (!at_top && top === null && first !== null) setTop(first);
  const held = at_top || top === null ? 0 : jobs.findIndex((job) => !isNewer(job, top));
  return { shown: held > 0 ? jobs.slice(held) : jobs, held: Math.max(0, held), show: () => setTop(first) };
}
