import type { Event, EventType, RunnerEvent } from "../contract/event.ts";
import type { Clock } from "./clock.ts";
import type { Transition } from "./lifecycle.ts";
import type { JobState, Store } from "./store.ts";

/** Events read from the store at a time; a slow reader holds no more than this. */
const BATCH = 200;

type Waiter = { resolve: () => void };

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

  /** Wakes the readers of events that are stored. */
  published(events: Event[]): void {
    const last = events.at(-1);
    if (last === undefined) return;
    for (const key of [last.job_id, ALL]) {
      const waiters = this.#waiters.get(key);
      if (waiters === undefined) continue;
      this.#waiters.delete(key);
      for (const waiter of waiters) waiter.resolve();
    }
  }

  /** Events of one job with seq > after, live until the job has ended and all are given. */
  async *follow(
    job_id: string,
    filter: { after: number; types: readonly EventType[] | null; follow: boolean },
    signal: AbortSignal,
  ): AsyncGenerator<Event[]> {
    let after = filter.after;
    while (!signal.aborted) {
      using woken = this.#wait(job_id);
      const job = await this.#store.getJob(job_id);
      // A job that retention removed meanwhile says nothing any more.
      const alive = job !== null && job.state.phase !== "ended";
      const events = await this.#store.readEvents(job_id, {
        after,
        limit: BATCH,
        ...(filter.types === null ? {} : { types: filter.types }),
      });
      after = events.at(-1)?.seq ?? after;
      if (events.length > 0) yield events;
      if (events.length === BATCH) continue;
      if (!filter.follow || !alive) return;
      await woken.until(signal);
    }
  }

  /** Events of all jobs with cursor > after, live until the signal aborts. */
  async *followAll(
    filter: {
      after: number;
      types: readonly EventType[] | null;
      without: readonly EventType[];
      follow: boolean;
    },
    signal: AbortSignal,
  ): AsyncGenerator<Event[]> {
    let after = filter.after;
    while (!signal.aborted) {
      using woken = this.#wait(ALL);
      const events = await this.#store.readAllEvents({
        after,
        limit: BATCH,
        ...(filter.types === null ? { without: filter.without } : { types: filter.types }),
      });
      after = events.at(-1)?.cursor ?? after;
      if (events.length > 0) yield events;
      if (events.length === BATCH) continue;
      if (!filter.follow) return;
      await woken.until(signal);
    }
  }

  /** Registers before the read, so that what is stored between the read and the wait is not missed. */
  #wait(key: string): { until(signal: AbortSignal): Promise<void> } & Disposable {
    const { promise, resolve } = Promise.withResolvers<void>();
    const waiter: Waiter = { resolve };
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
