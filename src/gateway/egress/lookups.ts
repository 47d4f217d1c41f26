import { lookup } from "node:dns/promises";

/** Resolves a name to all its addresses. Rejects when it has none. */
export type Lookup = (name: string) => Promise<readonly string[]>;

/** The resolver of the platform works in Node's thread pool, half of which stays free for the files that everybody else waits for. */
export const LOOKUPS_AT_ONCE = 2;

export const systemLookup: Lookup = async (name) => {
  const found = await lookup(name, { all: true, order: "verbatim" });
  return found.map(({ address }) => address);
};

type Waiting = { name: string; job: object; begun: (answer: Promise<readonly string[]>) => void };

/**
 * Lookups of all jobs: LOOKUPS_AT_ONCE at a time, of which one job holds one, so that none keeps the others waiting with names that
 * resolve slowly. Those who want a name while it is being looked up share the answer; nothing is kept afterwards. What waits is bounded by the
 * connections that its jobs may have.
 */
export class Lookups {
  readonly #lookup: Lookup;
  readonly #active = new Map<string, Promise<readonly string[]>>();
  readonly #busy = new Set<object>();
  #waiting: Waiting[] = [];

  constructor(lookup: Lookup) {
    this.#lookup = lookup;
  }

  /** Rejects with the signal's reason when that is aborted first. */
  async resolve(name: string, job: object, signal: AbortSignal): Promise<readonly string[]> {
    signal.throwIfAborted();
    const { promise, resolve: begun } = Promise.withResolvers<readonly string[]>();
    const aborted = Promise.withResolvers<never>();
    const waiting = { name, job, begun };
    const abort = (): void => aborted.reject(signal.reason);
    signal.addEventListener("abort", abort, { once: true });
    this.#waiting.push(waiting);
    this.#next();
    try {
      return await Promise.race([promise, aborted.promise]);
    } finally {
      signal.removeEventListener("abort", abort);
      this.#waiting = this.#waiting.filter((one) => one !== waiting);
    }
  }

  #next(): void {
    this.#waiting = this.#waiting.filter((waiting) => {
      const shared = this.#active.get(waiting.name) ?? this.#begin(waiting);
      if (shared !== null) waiting.begun(shared);
      return shared === null;
    });
  }

  #begin({ name, job }: Waiting): Promise<readonly string[]> | null {
    if (this.#busy.size >= LOOKUPS_AT_ONCE || this.#busy.has(job)) return null;
    const answer = this.#lookup(name);
    this.#active.set(name, answer);
    this.#busy.add(job);
    const done = (): void => {
      this.#active.delete(name);
      this.#busy.delete(job);
      this.#next();
    };
    answer.then(done, done);
    return answer;
  }
}
