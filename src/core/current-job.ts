import type { RunnerEvent } from "../contract/event.ts";
import type { EventLog } from "./event-log.ts";
import type { Transition } from "./lifecycle.ts";
import type { JobRecord, JobState } from "./store.ts";

/** A job at work, as it stands in the store right now: every change goes through here, so memory and store agree. */
export class CurrentJob {
  readonly #events: EventLog;
  #record: JobRecord;

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

  async apply(transition: Transition): Promise<void> {
    await this.#events.append(this.#record.job_id, transition);
    this.#changed(transition.change);
  }

  async takeIn(epoch: string, batch: RunnerEvent[], change: Partial<JobState>): Promise<void> {
    await this.#events.appendFromRunner(this.#record.job_id, epoch, batch, change);
    const runner_n = batch.at(-1)?.n ?? this.state.runner_n;
    this.#changed({ ...change, runner_epoch: epoch, runner_n });
  }

  #changed(change: Partial<JobState>): void {
    this.#record = { ...this.#record, state: { ...this.#record.state, ...change } };
  }
}
