import type { QueryClient } from "@tanstack/react-query";
import type { Event, EventType } from "../../../src/contract/event.ts";
import type { Job } from "../../../src/contract/job.ts";
import type { Feed } from "../feed/feed.ts";
import { changeListed, jobQuery, putJob } from "./jobs.ts";

/** After these a job has to be asked for again: the event does not say all that changed. */
const CHANGES_JOB: ReadonlySet<EventType> = new Set<EventType>([
  "job.started",
  "phase.changed",
  "job.ended",
  "approval.asked",
  "approval.given",
  "egress.opened",
  "model.called",
  "artifact.packed",
  "cancel.requested",
]);
/** A job is asked for at most so often, and so many at once. */
const PAUSE_MS = 400;
const AT_ONCE_MAX = 4;

/** Keeps every job that pages show as the events say; nothing is polled. */
export function keepJobsTrue(client: QueryClient, feed: Feed): () => void {
  const due = new Set<string>();
  let asking = 0;
  const ask = (): void => {
    for (const job_id of due) {
      if (asking >= AT_ONCE_MAX) return;
      due.delete(job_id);
      asking += 1;
      void renew(client, job_id).finally(() =>
        setTimeout(() => {
          asking -= 1;
          ask();
        }, PAUSE_MS),
      );
    }
  };
  const off = feed.onEvents((events) => {
    let scheduled = false;
    for (const event of events) {
      if (event.type === "job.scheduled") scheduled = true;
      if (event.type === "phase.changed" || event.type === "job.ended") changeStatus(client, event);
      if (CHANGES_JOB.has(event.type) && isShown(client, event.job_id)) due.add(event.job_id);
    }
    if (scheduled) void client.invalidateQueries({ queryKey: ["jobs"] });
    ask();
  });
  const offBegin = feed.onBegin(() => void client.invalidateQueries());
  return () => {
    off();
    offBegin();
  };
}

async function renew(client: QueryClient, job_id: string): Promise<void> {
  const { queryKey, queryFn } = jobQuery(job_id);
  try {
    putJob(client, await client.fetchQuery({ queryKey, ...(queryFn && { queryFn }), staleTime: 0 }));
  } catch {
    // The page that shows the job says what is wrong with it; the next event asks again.
  }
}

/** At once, before the whole job was asked for: nobody sees a status that is no longer true. */
function changeStatus(
  client: QueryClient,
  event: Extract<Event, { type: "phase.changed" | "job.ended" }>,
): void {
  const change = (job: Job): Job =>
    event.type === "phase.changed"
      ? { ...job, status: event.data.status, phase: event.data.phase }
      : { ...job, status: event.data.status, phase: "ended", reason: event.data.reason };
  client.setQueryData<Job>(jobQuery(event.job_id).queryKey, (job) => job && change(job));
  changeListed(client, event.job_id, change);
}

function isShown(client: QueryClient, job_id: string): boolean {
  if (client.getQueryData(jobQuery(job_id).queryKey) !== undefined) return true;
  return client
    .getQueriesData<{ pages: { jobs: Job[] }[] }>({ queryKey: ["jobs"] })
    .some(([, data]) => data?.pages.some(({ jobs }) => jobs.some((job) => job.job_id === job_id)));
}
