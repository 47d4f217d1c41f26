import { useQueryClient } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import type { Job } from "../../../src/contract/job.ts";
import { isNewer, type JobsFilter } from "../api/job-lists.ts";

/**
 * Holds back jobs that come while somebody reads further down, so that nothing moves under their eyes; also when they come back to where they
 * were. `shown` are the others; `show` shows all again.
 */
export function useNewFirst(
  jobs: readonly Job[],
  { at_top, filter }: { at_top: boolean; filter: JobsFilter },
): { shown: readonly Job[]; held: number; show: () => void } {
  const client = useQueryClient();
  const [key] = useState(() => ["list-top", filter]);
  const [top, setTop] = useState<Job | null>(() => (at_top ? null : (client.getQueryData<Job>(key) ?? null)));
  useEffect(() => {
    if (top === null) client.removeQueries({ queryKey: key, exact: true });
    else client.setQueryData(key, top);
  }, [client, key, top]);
  const first = jobs[0] ?? null;
  // Decided while rendering: a frame later they would have been seen already.
  if (at_top && top !== null) setTop(null);
  if (!at_top && top === null && first !== null) setTop(first);
  const held = at_top || top === null ? 0 : jobs.findIndex((job) => !isNewer(job, top));
  return { shown: held > 0 ? jobs.slice(held) : jobs, held: Math.max(0, held), show: () => setTop(first) };
}
