/** A job that waits for a place. */
export type Waiting = { job_id: string; priority: number; scheduled_at: string };

/** Who comes next: the highest priority, and among equals the oldest. Holds what the store knows as queued, so that is its bound. */
export class Queue {
  readonly #waiting: Waiting[] = [];

  get size(): number {
    return this.#waiting.length;
  }

  add(job: Waiting): void {
    let low = 0;
    let high = this.#waiting.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const other = this.#waiting[middle];
      if (other !== undefined && comesBefore(job, other)) high = middle;
      else low = middle + 1;
    }
    this.#waiting.splice(low, 0, job);
  }

  take(): string | null {
    return this.#waiting.shift()?.job_id ?? null;
  }

  /** False when the job does not wait here (any more). */
  remove(job_id: string): boolean {
    const index = this.#waiting.findIndex((job) => job.job_id === job_id);
    if (index === -1) return false;
    this.#waiting.splice(index, 1);
    return true;
  }
}

function comesBefore(a: Waiting, b: Waiting): boolean {
  if (a.priority !== b.priority) return a.priority > b.priority;
  return a.scheduled_at < b.scheduled_at;
}
