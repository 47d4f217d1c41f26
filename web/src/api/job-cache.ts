import type { Query, QueryClient } from "@tanstack/react-query";
import type { JobsAnswer } from "../../../src/contract/api.ts";
import type { Event, EventType } from "../../../src/contract/event.ts";
import type { Job } from "../../../src/contract/job.ts";
import type { Feed } from "../feed/feed.ts";
import { hasJob, type JobPages, withNewest } from "./job-lists.ts";
import { changeListed, fetchJob, fetchJobs, filterOf, jobQuery, putJob } from "./jobs.ts";

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
/** A job is asked for at most so often, and so many at once; the same for the newest jobs of each list. */
const PAUSE_MS = 400;
const AT_ONCE_MAX = 4;
/** What arrives may have been answered before the last events; those of so long ago are looked at, and so many jobs. */
const RECENT_MS = 15_000;
const RECENT_MAX = 10_000;

type Cached = Pick<Feed, "onEvents" | "onBegin" | "onState">;

/** Keeps every job that pages show as the events say; nothing is polled. Undone by what it returns. */
export function keepJobsTrue(client: QueryClient, feed: Cached): () => void {
  const jobs = new Due((job_id, isLast) => renewJob(client, job_id, isLast));
  const lists = new Due((hash) => renewList(client, hash));
  const recent = new Recent();
  let lost = false;
  const undo = [
    feed.onEvents((events) => {
      for (const event of events) {
        if (event.type === "job.scheduled") for (const list of listsOf(client)) lists.add(list.queryHash);
        if (!CHANGES_JOB.has(event.type)) continue;
        recent.add(event.job_id);
        if (event.type === "phase.changed" || event.type === "job.ended") changeStatus(client, event);
        if (isWanted(client, event)) jobs.add(event.job_id);
      }
    }),
    feed.onBegin(() => askAnew(client)),
    feed.onState(({ kind }) => {
      if (kind === "live" && lost) askAnew(client);
      lost = kind === "lost" || kind === "signed_out";
    }),
    client.getQueryCache().subscribe(({ type, query, ...event }) => {
      const action = "action" in event ? event.action : null;
      if (type !== "updated" || action?.type !== "success" || action.manual === true) return;
      for (const { job_id, phase } of jobsOf(query))
        if (phase !== "ended" && recent.has(job_id)) jobs.add(job_id);
    }),
  ];
  return () => {
    for (const one of undo) one();
  };
}

/** Asks for everything again that is shown. What is being asked for right now may be answered from before, so that is asked for once more. */
function askAnew(client: QueryClient): void {
  for (const query of client.getQueryCache().getAll()) {
    const under_way = query.state.data === undefined ? query.promise : undefined;
    const ask = () => client.invalidateQueries({ queryKey: query.queryKey, exact: true });
    void (under_way ?? Promise.resolve()).then(ask, ask);
  }
}

async function renewJob(client: QueryClient, job_id: string, isLast: () => boolean): Promise<void> {
  const query = client.getQueryCache().find({ queryKey: jobQuery(job_id).queryKey });
  // Whoever asked first must not put an older answer over this one.
  if (query !== undefined && query.state.data === undefined) await query.promise?.catch(() => undefined);
  try {
    const job = await fetchJob(job_id);
    // Something happened meanwhile: the next answer has it, this one may not.
    if (isLast()) putJob(client, job);
  } catch {
    // The page that shows the job says what is wrong with it; the next event asks again.
  }
}

/** Puts what was scheduled into a list that is shown; others are asked for again when they are shown. */
async function renewList(client: QueryClient, hash: string): Promise<void> {
  const query = client.getQueryCache().get(hash);
  if (query === undefined) return;
  const { queryKey } = query;
  const reload = () => client.invalidateQueries({ queryKey, exact: true });
  if (!query.isActive() || query.state.data === undefined) {
    await query.promise?.catch(() => undefined);
    return reload();
  }
  try {
    const newest = await fetchJobs(filterOf(queryKey));
    client.setQueryData<JobPages>(
      queryKey,
      (list) => list && (withNewest(list, newest) ?? { pages: [newest], pageParams: [""] }),
    );
  } catch {
    // The server went away: the list is asked for again when it is back.
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
      : {
          ...job,
          status: event.data.status,
          phase: "ended",
          reason: event.data.reason,
          timings: { ...job.timings, ended_at: event.at },
        };
  client.setQueryData<Job>(jobQuery(event.job_id).queryKey, (job) => job && change(job));
  changeListed(client, event.job_id, change);
}

/** Whether a job is shown, is being asked for, or may now belong to a list by its status. */
function isWanted(client: QueryClient, event: Event): boolean {
  const { job_id } = event;
  if (client.getQueryCache().find({ queryKey: jobQuery(job_id).queryKey }) !== undefined) return true;
  const moved = event.type === "phase.changed" || event.type === "job.ended" ? event.data.status : null;
  return listsOf(client).some(({ queryKey, state }) => {
    const list = state.data as JobPages | undefined;
    return (moved !== null && filterOf(queryKey).status === moved) || (list && hasJob(list, job_id));
  });
}

function listsOf(client: QueryClient): Query[] {
  return client.getQueryCache().findAll({ queryKey: ["jobs"] });
}

function jobsOf({ queryKey, state }: Query): readonly Job[] {
  if (queryKey[0] === "job") return [state.data as Job];
  if (queryKey[0] !== "jobs") return [];
  return (state.data as { pages: JobsAnswer[] }).pages.flatMap(({ jobs }) => jobs);
}

/** `isLast` says whether it has not become due again since. */
type Act = (key: string, isLast: () => boolean) => Promise<unknown>;

/** Things to do over the network, slowly enough for a server. */
class Due {
  readonly #act: Act;
  readonly #due = new Set<string>();
  /** What is under way; of the same thing the last. */
  readonly #acting = new Map<string, symbol>();
  #busy = 0;

  constructor(act: Act) {
    this.#act = act;
  }

  add(key: string): void {
    this.#due.add(key);
    this.#next();
  }

  #next(): void {
    for (const key of this.#due) {
      if (this.#busy >= AT_ONCE_MAX) return;
      this.#due.delete(key);
      this.#busy += 1;
      const own = Symbol(key);
      this.#acting.set(key, own);
      const isLast = () => this.#acting.get(key) === own && !this.#due.has(key);
      void this.#act(key, isLast).finally(() => {
        if (this.#acting.get(key) === own) this.#acting.delete(key);
        setTimeout(() => {
          this.#busy -= 1;
          this.#next();
        }, PAUSE_MS);
      });
    }
  }
}

/** Which jobs changed a short while ago. */
class Recent {
  readonly #at = new Map<string, number>();

  add(job_id: string): void {
    this.#at.delete(job_id);
    this.#at.set(job_id, Date.now());
    for (const [oldest, at] of this.#at) {
      if (this.#at.size <= RECENT_MAX && Date.now() - at < RECENT_MS) return;
      this.#at.delete(oldest);
    }
  }

  has(job_id: string): boolean {
    return Date.now() - (this.#at.get(job_id) ?? Number.NEGATIVE_INFINITY) < RECENT_MS;
  }
}
