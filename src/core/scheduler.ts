import type { Dependencies } from "./dependencies.ts";
import type { SandboxStatus } from "./driver.ts";
import type { EventLog } from "./event-log.ts";
import { JobRun } from "./job-run.ts";
import { Queue } from "./queue.ts";
import type { JobRecord } from "./store.ts";

/** Gives waiting jobs a place, and holds those at work. */
export class Scheduler {
  readonly #dependencies: Dependencies;
  readonly #events: EventLog;
  readonly #signal: AbortSignal;
  readonly #queue = new Queue();
  readonly #runs = new Map<string, JobRun>();
  /** Jobs that have a place, but whose row is still being read. */
  readonly #reserved = new Map<string, Promise<void>>();
  readonly #tracked = new Set<Promise<void>>();

  /** When the signal aborts, no further job starts and those at work are let go; their sandboxes go on. */
  constructor(dependencies: Dependencies, events: EventLog, signal: AbortSignal) {
    this.#dependencies = dependencies;
    this.#events = events;
    this.#signal = signal;
  }

  get waiting(): number {
    return this.#queue.size;
  }

  /** The run of a job; null while it waits and after its end. */
  run(job_id: string): JobRun | null {
    return this.#runs.get(job_id) ?? null;
  }

  enqueue({ job_id, request, scheduled_at }: JobRecord): void {
    this.#queue.add({ job_id, priority: request.priority, scheduled_at });
    this.#startNext();
  }

  /** Takes a job out of the queue; false when it does not wait (any more). Its run can then be asked for, if it has one. */
  async withdraw(job_id: string): Promise<boolean> {
    if (this.#queue.remove(job_id)) return true;
    await this.#reserved.get(job_id);
    return false;
  }

  /** Runs a job now, beyond the limit when need be: for what was at work before a restart, and for the end of a withdrawn job. */
  launch(record: JobRecord): JobRun {
    const run = new JobRun(record, this.#dependencies, this.#events);
    this.#runs.set(record.job_id, run);
    const ended = run.run(this.#signal).finally(() => {
      this.#runs.delete(record.job_id);
      this.#startNext();
    });
    this.#track(ended);
    return run;
  }

  /** Hands on what the engine says of a sandbox; one that belongs to no run is nobody's concern here. */
  sandboxChanged(status: SandboxStatus): void {
    if (status.id === null) return;
    for (const run of this.#runs.values()) if (run.sandbox_id === status.id) run.sandboxChanged(status);
  }

  /** Resolves when nothing is at work any more. */
  async settled(): Promise<void> {
    while (this.#tracked.size > 0) await Promise.all(this.#tracked);
  }

  /** Fills the free places. A place is taken before the job's row is read, so that the limit holds meanwhile. */
  #startNext(): void {
    while (!this.#signal.aborted && this.#runs.size + this.#reserved.size < this.#dependencies.concurrency) {
      const job_id = this.#queue.take();
      if (job_id === null) return;
      const started = this.#startQueued(job_id).finally(() => this.#reserved.delete(job_id));
      this.#reserved.set(job_id, started);
      this.#track(started);
    }
  }

  /** A job whose row cannot be read stays in the store and is found again at the next start. */
  async #startQueued(job_id: string): Promise<void> {
    try {
      const record = await this.#dependencies.store.getJob(job_id);
      if (record !== null && !this.#signal.aborted) this.launch(record);
    } catch (error) {
      this.#dependencies.log("error", "A queued job could not be read.", { job_id, error: String(error) });
    }
  }

  #track(work: Promise<void>): void {
    this.#tracked.add(work);
    void work.finally(() => this.#tracked.delete(work));
  }
}
