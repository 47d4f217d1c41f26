import type { Event } from "../../../src/contract/event.ts";
import { eventBatches } from "./event-lines.ts";
import type { FeedState } from "./messages.ts";

/** The orchestrator says something at least every 15 s; a stream that is silent for this long is taken for dead. */
const SILENCE_MAX_MS = 40_000;
const RETRY_FIRST_MS = 500;
const RETRY_MAX_MS = 8_000;

export type FeedConnectionOptions = {
  fetch: typeof globalThis.fetch;
  onState(state: FeedState): void;
  onEvents(events: Event[]): void;
  onBegin(): void;
};

/**
 * The one stream of the events of all jobs, for as long as it is not disposed: reconnects by itself from the last event that it told. Watching
 * other outputs opens it anew from there as well.
 */
export class FeedConnection implements Disposable {
  readonly #options: FeedConnectionOptions;
  #output_of: readonly string[] = [];
  /** Null until the first stream said where it is. */
  #cursor: number | null = null;
  #failures = 0;
  #closed = false;
  #signed_out = false;
  #current: AbortController | null = null;
  /** The stream was ended by us, to be opened with other outputs. */
  #reopening = false;
  #wake: (() => void) | null = null;

  constructor(options: FeedConnectionOptions) {
    this.#options = options;
    void this.#run();
  }

  /** The jobs whose output is told too. */
  watch(job_ids: readonly string[]): void {
    const wanted = [...new Set(job_ids)].sort();
    if (wanted.join() === this.#output_of.join()) return;
    this.#output_of = wanted;
    this.#reopening = this.#current !== null;
    this.#current?.abort();
  }

  /** Tries now instead of later. */
  retry(): void {
    this.#failures = 0;
    this.#signed_out = false;
    this.#wake?.();
  }

  [Symbol.dispose](): void {
    this.#closed = true;
    this.#current?.abort();
    this.#wake?.();
  }

  async #run(): Promise<void> {
    this.#options.onState({ kind: "connecting" });
    while (!this.#closed) {
      const attempt = new AbortController();
      this.#current = attempt;
      this.#reopening = false;
      try {
        await this.#stream(attempt);
      } catch {
        // Whatever it was: the stream is gone, and is opened again below.
      }
      this.#current = null;
      if (!this.#closed && !this.#reopening) await this.#rest();
    }
  }

  async #stream(attempt: AbortController): Promise<void> {
    const query = new URLSearchParams();
    if (this.#cursor !== null) query.set("after", String(this.#cursor));
    if (this.#output_of.length > 0) query.set("output_of", this.#output_of.join());
    const silence = new Silence(attempt);
    try {
      const headers = { accept: "application/x-ndjson" };
      const response = await this.#options.fetch(`/events?${query}`, { headers, signal: attempt.signal });
      if (response.status === 401) this.#signed_out = true;
      if (!response.ok || response.body === null) throw new Error(`status ${response.status}`);
      this.#failures = 0;
      if (this.#cursor === null) this.#options.onBegin();
      this.#options.onState({ kind: "live" });
      for await (const events of eventBatches(response.body)) {
        silence.broken();
        const last = events.at(-1);
        if (last === undefined) continue;
        this.#cursor = last.cursor;
        this.#options.onEvents(events);
      }
    } finally {
      silence.end();
      attempt.abort();
    }
  }

  async #rest(): Promise<void> {
    const most = Math.min(RETRY_MAX_MS, RETRY_FIRST_MS * 2 ** this.#failures);
    this.#failures += 1;
    const wait = most * (0.5 + Math.random() / 2);
    this.#options.onState(
      this.#signed_out ? { kind: "signed_out" } : { kind: "lost", retry_at: Date.now() + wait },
    );
    await new Promise<void>((resolve) => {
      const timer = this.#signed_out ? null : setTimeout(resolve, wait);
      this.#wake = () => {
        if (timer !== null) clearTimeout(timer);
        resolve();
      };
    });
    this.#wake = null;
    if (!this.#closed) this.#options.onState({ kind: "connecting" });
  }
}

/** Ends an attempt on which nothing comes any more. */
class Silence {
  readonly #attempt: AbortController;
  #timer: ReturnType<typeof setTimeout>;

  constructor(attempt: AbortController) {
    this.#attempt = attempt;
    this.#timer = this.#begin();
  }

  broken(): void {
    clearTimeout(this.#timer);
    this.#timer = this.#begin();
  }

  end(): void {
    clearTimeout(this.#timer);
  }

  #begin(): ReturnType<typeof setTimeout> {
    return setTimeout(() => this.#attempt.abort(), SILENCE_MAX_MS);
  }
}
