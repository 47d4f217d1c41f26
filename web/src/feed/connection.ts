import type { Event } from "../../../src/contract/event.ts";
import { CURSOR_HEADER } from "../../../src/contract/event-cursor.ts";
import { eventBatches } from "./event-lines.ts";
import type { FeedTime } from "./feed-time.ts";
import type { FeedState } from "./messages.ts";

/** The orchestrator says something at least every 15 s; a stream that is silent for this long is taken for dead. */
export const SILENCE_MAX_MS = 40_000;
const RETRY_FIRST_MS = 500;
export const RETRY_MAX_MS = 8_000;
/** As the API bounds them: of more jobs that are watched, the output of the last ones comes. */
export const OUTPUTS_MAX = 64;
/** What asks for other outputs often comes in pairs: one page goes, the next one comes. Too much output is no hurry. */
export const MORE_OUTPUT_MS = 20;
export const LESS_OUTPUT_MS = 5_000;
const JOB_ID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

export type FeedConnectionOptions = {
  fetch: typeof globalThis.fetch;
  time: FeedTime;
  onState(state: FeedState): void;
  onEvents(events: Event[]): void;
  onBegin(): void;
};

/** How an attempt came to its end. */
type Outcome = "broken" | "signed_out" | "reopened";

/**
 * The one stream of the events of all jobs, for as long as it is not disposed: reconnects by itself from the last event that it told. Watching
 * other outputs opens it anew from there as well.
 */
export class FeedConnection implements Disposable {
  readonly #options: FeedConnectionOptions;
  /** The jobs whose output is wanted, and those that the present stream tells. */
  #wanted: readonly string[] = [];
  #told: readonly string[] = [];
  /** Null until the first stream said where it is. */
  #cursor: number | null = null;
  #failures = 0;
  #lost_since: number | null = null;
  #closed = false;
  #current: AbortController | null = null;
  /** The present stream was ended by us, to be opened with other outputs. */
  #reopening = false;
  #cancelReopen = (): void => undefined;
  #wake = (): void => undefined;

  constructor(options: FeedConnectionOptions) {
    this.#options = options;
    void this.#run();
  }

  /** The jobs whose output is told too. What is no id of a job is left out: it would be refused, and the whole stream with it. */
  watch(job_ids: readonly string[]): void {
    const known = job_ids.filter((id) => JOB_ID.test(id)).map((id) => id.toLowerCase());
    this.#wanted = [...new Set(known.toReversed())].slice(0, OUTPUTS_MAX).sort();
    this.#cancelReopen();
    if (this.#wanted.join() === this.#told.join()) return;
    const more = this.#wanted.some((id) => !this.#told.includes(id));
    this.#cancelReopen = this.#options.time.after(more ? MORE_OUTPUT_MS : LESS_OUTPUT_MS, () => {
      this.#reopening = this.#current !== null;
      this.#current?.abort();
    });
  }

  /** Tries now instead of later. */
  retry(): void {
    this.#failures = 0;
    this.#wake();
  }

  [Symbol.dispose](): void {
    this.#closed = true;
    this.#cancelReopen();
    this.#current?.abort();
    this.#wake();
  }

  async #run(): Promise<void> {
    this.#options.onState({ kind: "connecting" });
    while (!this.#closed) {
      const outcome = await this.#attempt();
      if (this.#closed) return;
      if (outcome !== "reopened") await this.#rest(outcome);
    }
  }

  async #attempt(): Promise<Outcome> {
    const attempt = new AbortController();
    this.#current = attempt;
    this.#reopening = false;
    try {
      return await this.#stream(attempt);
    } catch {
      // Whatever it was: the stream is gone, and is opened again.
      return this.#reopening ? "reopened" : "broken";
    } finally {
      this.#current = null;
      attempt.abort();
    }
  }

  async #stream(attempt: AbortController): Promise<Outcome> {
    this.#told = this.#wanted;
    const query = new URLSearchParams();
    if (this.#cursor !== null) query.set("after", String(this.#cursor));
    if (this.#told.length > 0) query.set("output_of", this.#told.join());
    using silence = new Silence(this.#options.time, () => attempt.abort());
    const headers = { accept: "application/x-ndjson" };
    const response = await this.#options.fetch(`/events?${query}`, { headers, signal: attempt.signal });
    if (response.status === 401) return "signed_out";
    const type = response.headers.get("content-type") ?? "";
    if (!response.ok || response.body === null || !type.startsWith("application/x-ndjson"))
      throw new Error(`This is no stream of events: ${response.status} ${type}`);
    this.#open(response.headers.get(CURSOR_HEADER));
    for await (const events of eventBatches(response.body)) {
      // An attempt that was given up may still have something to read.
      if (attempt.signal.aborted) break;
      silence.broken();
      this.#failures = 0;
      this.#tell(events);
    }
    return this.#reopening ? "reopened" : "broken";
  }

  /** `cursor` is where the server says that the stream begins: before the last event only when that is of another history. */
  #open(cursor: string | null): void {
    const begins_at = cursor !== null && /^\d+$/.test(cursor) ? Number(cursor) : null;
    if (this.#cursor === null || (begins_at !== null && begins_at < this.#cursor)) {
      this.#cursor = begins_at;
      this.#options.onBegin();
    }
    this.#lost_since = null;
    this.#options.onState({ kind: "live" });
  }

  #tell(events: Event[]): void {
    const after = this.#cursor ?? 0;
    const fresh = events.filter(({ cursor }) => cursor > after);
    const last = fresh.at(-1);
    if (last === undefined) return;
    this.#cursor = last.cursor;
    this.#options.onEvents(fresh);
  }

  async #rest(outcome: "broken" | "signed_out"): Promise<void> {
    const { time, onState } = this.#options;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#wake = resolve;
    let cancel = (): void => undefined;
    if (outcome === "signed_out") {
      this.#lost_since = null;
      onState({ kind: "signed_out" });
    } else {
      const most = Math.min(RETRY_MAX_MS, RETRY_FIRST_MS * 2 ** this.#failures);
      this.#failures += 1;
      const wait = most * (0.5 + time.random() / 2);
      this.#lost_since ??= time.now();
      onState({ kind: "lost", since: this.#lost_since, retry_at: time.now() + wait });
      cancel = time.after(wait, resolve);
    }
    await promise;
    cancel();
    this.#wake = () => undefined;
    if (this.#lost_since !== null && !this.#closed)
      onState({ kind: "lost", since: this.#lost_since, retry_at: null });
  }
}

/** Calls when nothing was heard for SILENCE_MAX_MS. */
class Silence implements Disposable {
  readonly #time: FeedTime;
  readonly #onSilence: () => void;
  #cancel = (): void => undefined;

  constructor(time: FeedTime, onSilence: () => void) {
    this.#time = time;
    this.#onSilence = onSilence;
    this.broken();
  }

  broken(): void {
    this.#cancel();
    this.#cancel = this.#time.after(SILENCE_MAX_MS, this.#onSilence);
  }

  [Symbol.dispose](): void {
    this.#cancel();
  }
}
