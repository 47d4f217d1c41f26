import type { Event, EventType, RunnerEvent } from "../contract/event.ts";
import type { Clock } from "./clock.ts";
import type { Transition } from "./lifecycle.ts";
import type { EventLine, JobState, Store } from "./store.ts";

/** Events read from the store at a time; a slow reader holds no more than this. */
const BATCH = 200;

/** Only what is wanted wakes: jobs that write a lot cost those nothing who do not read it. */
type Wants = (event: Event) => boolean;
type Waiter = { wants: Wants; resolve: () => void };

/** What a reader of a job's events wants. */
export type Follow = {
  /** Events with a higher seq (or cursor, for all jobs); null is from the first (or, for all jobs, from now on). */
  after: number | null;
  types: readonly EventType[] | null;
  /** True to go on live; never together with `before` or `limit`. */
  follow: boolean;
  /** Ends before this seq. */
  before?: number | undefined;
  /** At most so many: the first of them, or with `before` the last. */
  limit?: number | undefined;
};

/** What a reader of the events of all jobs wants. */
export type FollowAll = Pick<Follow, "after" | "types" | "follow"> & {
  /** Gives `step.output` of these jobs; with `types` only when they name it. */
  output_of?: readonly string[] | undefined;
};

/**
 * The one way by which events come to be and are followed: stored first, then those who wait are woken and read them from the store.
 * So a reader costs one batch of memory, however slow it is.
 */
export class EventLog {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #waiters = new Map<string, Set<Waiter>>();

  constructor(store: Store, clock: Clock) {
    this.#store = store;
    this.#clock = clock;
  }

  async append(job_id: string, transition: Transition): Promise<Event[]> {
    const events = await this.#store.append(job_id, this.#clock.now(), transition.change, transition.events);
    this.published(events);
    return events;
  }

  async appendFromRunner(
    job_id: string,
    epoch: string,
    events: RunnerEvent[],
    change: Partial<JobState>,
  ): Promise<Event[]> {
    const stored = await this.#store.appendFromRunner(job_id, this.#clock.now(), epoch, events, change);
    this.published(stored);
    return stored;
  }

  /** The cursor of the last event that is stored; 0 when there is none. */
  lastCursor(): Promise<number> {
    return this.#store.lastCursor();
  }

  /** Wakes the readers of events that are stored. */
  published(events: Event[]): void {
    const last = events.at(-1);
    if (last === undefined) return;
    for (const key of [last.job_id, ALL])
      for (const { wants, resolve } of this.#waiters.get(key) ?? []) if (events.some(wants)) resolve();
  }

  /** Events of one job; with `follow` live until the job has ended and all are given. */
  async *follow(job_id: string, filter: Follow, signal: AbortSignal): AsyncGenerator<EventLine[]> {
    const { before, follow } = filter;
    const types = filter.types ?? undefined;
    let after = await this.#start(job_id, filter);
    let left = filter.limit ?? Number.POSITIVE_INFINITY;
    while (!signal.aborted && left > 0) {
      using woken = this.#wait(job_id, ({ type }) => isAmong(type, filter.types) || type === "job.ended");
      // Looked up before the read, so that what it says is true of all that is read: of an ended job there is no more to come.
      const phase = follow ? await this.#store.phase(job_id) : null;
      const limit = Math.min(BATCH, left);
      const events = await this.#store.readEventLines(job_id, { after, before, limit, types });
      after = events.at(-1)?.seq ?? after;
      left -= events.length;
      if (events.length > 0) yield events;
      if (events.length === limit) continue;
      // A job that retention removed meanwhile says nothing any more.
      if (phase === null || phase === "ended") return;
      await woken.until(signal);
    }
  }

  /** Events of all jobs, live until the signal aborts. Leaves out `step.output` unless `types` names it, or `output_of` its job. */
  async *followAll(filter: FollowAll, signal: AbortSignal): AsyncGenerator<EventLine[]> {
    const { output_of } = filter;
    const wanted =
      filter.types === null && output_of === undefined
        ? { without: ["step.output"] as const }
        : { types: filter.types ?? undefined, output_of };
    let after = filter.after ?? (await this.lastCursor());
    while (!signal.aborted) {
      using woken = this.#wait(ALL, wantsOf(filter));
      const events = await this.#store.readAllEventLines({ after, limit: BATCH, ...wanted });
      after = events.at(-1)?.cursor ?? after;
      if (events.length > 0) yield events;
      if (events.length === BATCH) continue;
      if (!filter.follow) return;
      await woken.until(signal);
    }
  }

  /** Behind which seq to begin: for the last events before one that is where their page starts. */
  async #start(job_id: string, filter: Follow): Promise<number> {
    const after = filter.after ?? 0;
    const { before, limit, types } = filter;
    if (before === undefined || limit === undefined) return after;
    const start = await this.#store.pageStart(job_id, { before, limit, types: types ?? undefined });
    return start === null ? after : Math.max(after, start - 1);
  }

  /** Registers before the read, so that what is stored between the read and the wait is not missed. */
  #wait(key: string, wants: Wants): { until(signal: AbortSignal): Promise<void> } & Disposable {
    const { promise, resolve } = Promise.withResolvers<void>();
    const waiter: Waiter = { wants, resolve };
    let waiters = this.#waiters.get(key);
    if (waiters === undefined) {
      waiters = new Set();
      this.#waiters.set(key, waiters);
    }
    waiters.add(waiter);
    return {
      until: async (signal) => {
        if (signal.aborted) return;
        const stop = () => resolve();
        signal.addEventListener("abort", stop, { once: true });
        await promise;
        signal.removeEventListener("abort", stop);
      },
      [Symbol.dispose]: () => {
        const current = this.#waiters.get(key);
        current?.delete(waiter);
        if (current?.size === 0) this.#waiters.delete(key);
      },
    };
  }
}

const ALL = "*";

function wantsOf({ types, output_of }: FollowAll): Wants {
  return ({ type, job_id }) => {
    if (type !== "step.output") return isAmong(type, types);
    if (output_of === undefined) return types?.includes(type) ?? false;
    return isAmong(type, types) && output_of.includes(job_id);
  };
}

function isAmong(type: EventType, types: readonly EventType[] | null): boolean {
  return types === null || types.includes(type);
}
