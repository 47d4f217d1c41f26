import { AppError } from "../contract/errors.ts";

/** Streams of events and logs that may be open at the same time. Each costs one connection and one batch of events. */
export const STREAMS_OPEN_MAX = 1_000;

/** Counts the open streams and refuses one too many. */
export class StreamSlots {
  readonly #max: number;
  #open = 0;

  constructor(max: number) {
    this.#max = max;
  }

  get open(): number {
    return this.#open;
  }

  /** Throws AppError `too_many_requests` when all are taken. */
  take(): Disposable {
    if (this.#open >= this.#max) {
      throw new AppError({
        code: "too_many_requests",
        message: `${this.#open} event and log streams are open already, which is the limit.`,
        hint: "Close one, or ask with ?follow=false.",
      });
    }
    this.#open += 1;
    let taken = true;
    return {
      [Symbol.dispose]: () => {
        if (taken) this.#open -= 1;
        taken = false;
      },
    };
  }
}
