import { AppError } from "../../contract/errors.ts";

/** Requests and WebSockets into one sandbox at the same time: half of what its link carries, so that terminals have room beside any page. */
export const CONNECTIONS_MAX = 128;

/** Counts the connections into each sandbox and refuses one too many. */
export class ConnectionSlots {
  readonly #open = new Map<string, number>();

  /** Throws AppError `too_many_requests` when all of that job are taken. */
  take(job_id: string): Disposable {
    const open = this.#open.get(job_id) ?? 0;
    if (open >= CONNECTIONS_MAX) {
      throw new AppError({
        code: "too_many_requests",
        message: `${CONNECTIONS_MAX} requests into this sandbox are open already.`,
        hint: "Close some pages of it.",
      });
    }
    this.#open.set(job_id, open + 1);
    let taken = true;
    return {
      [Symbol.dispose]: () => {
        if (!taken) return;
        taken = false;
        const left = (this.#open.get(job_id) ?? 1) - 1;
        if (left === 0) this.#open.delete(job_id);
        else this.#open.set(job_id, left);
      },
    };
  }
}
