import type { RunnerEvent } from "../contract/event.ts";
import type { EventLog } from "./event-log.ts";
import type { Transition } from "./lifecycle.ts";
import type { JobRecord, JobState } from "./store.ts";

/** What becomes of a state; null when nothing changes. */
type Change = Transition | ((state: JobState) => Transition | null);

/**
 * A job at work, as it stands in the store right now. Every change goes through here, one after the other, so memory and store agree
 * and no change is made from a state that another one has left behind meanwhile.
 */
export class CurrentJob {
  readonly #events: EventLog;
  #record: JobRecord;
  #last: Promise<unknown> = Promise.resolve();

  constructor(record: JobRecord, events: EventLog) {
    this.#record = record;
    this.#events = events;
  }

  get record(): JobRecord {
    return this.#record;
  }

  get state(): JobState {
    return this.#record.state;
  }

  /** Stores a change and its events in one transaction. A function is given the state that the changes before it left. */
  apply(change: Change): Promise<void> {
    return this.#next(async () => {
      const transition = typeof change === "function" ? change(this.state) : change;
      if (transition === null) return;
      await this.#events.append(this.#record.job_id, transition);
      this.#changed(transition.change);
    });
  }

  takeIn(epoch: string, batch: RunnerEvent[], change: (state: JobState) => Partial<JobState>): Promise<void> {
    return this.#next(async () => {
      const changed = change(this.state);
      await this.#events.appendFromRunner(this.#record.job_id, epoch, batch, changed);
      const runner_n = batch.at(-1)?.n ?? this.state.runner_n;
      this.#changed({ ...changed, runner_epoch: epoch, runner_n });
    });
  }

  /** A change that failed is its caller's concern; the next one begins from what is stored. */
  #next(work: () => Promise<void>): Promise<void> {
    const done = this.#last.then(work);
    this.#last = done.catch(() => undefined);
    return done;
  }

  #changed(change: Partial<JobState>): void {
    this.#record = { ...this.#record, state: { ...this.#record.state, ...change } };
  }
}
