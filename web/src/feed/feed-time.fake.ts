import type { FeedTime } from "./feed-time.ts";

/** A clock that goes when it is told to. */
export class FakeTime implements FeedTime {
  #now = 1_000_000;
  readonly #timers = new Set<{ at: number; act: () => void }>();

  now = (): number => this.#now;
  /** The middle, so that waits are three quarters of their most. */
  random = (): number => 0.5;

  after = (ms: number, act: () => void): (() => void) => {
    const timer = { at: this.#now + ms, act };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  };

  /** How long it is to the next timer; null when none is set. */
  get next_ms(): number | null {
    return this.#timers.size === 0 ? null : Math.min(...[...this.#timers].map(({ at }) => at)) - this.#now;
  }

  pass(ms: number): void {
    const end = this.#now + ms;
    for (let next = this.#due(end); next !== undefined; next = this.#due(end)) {
      this.#timers.delete(next);
      this.#now = next.at;
      next.act();
    }
    this.#now = end;
  }

  #due(end: number) {
    return [...this.#timers].sort((a, b) => a.at - b.at).find(({ at }) => at <= end);
  }
}
