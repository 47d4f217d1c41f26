import { setTimeout as sleep } from "node:timers/promises";
import type { RunnerEventBody } from "../../../contract/event.ts";
import type { Blobs } from "../../blobs.ts";
import type { Picture } from "./framebuffer.ts";
import { pngOf } from "./png.ts";
import type { Screen } from "./screen.ts";

/** Captures of one job, and what they take in all; later ones are not kept. */
export const CAPTURES_MAX = 5_000;
export const CAPTURES_MAX_BYTES = 128 * 1024 * 1024;
/** While somebody watches a changing screen: one capture in this time, in twice the time after each so many, at last once a minute. */
export const WATCHED_FIRST_MS = 1_000;
export const WATCHED_PER_PACE = 600;
const WATCHED_MAX_MS = 60_000;

export type CapturesOptions = {
  screen: Screen;
  blobs: Blobs;
  emit(body: RunnerEventBody): Promise<void>;
  /** Whether the desktop runs: watching starts none. */
  running(): boolean;
  /** Waits between captures; injected by tests. Rejects when the signal aborts. */
  wait?(ms: number, signal: AbortSignal): Promise<void>;
};

/** Pictures of the screen for the job's story: each is kept once, and said again only when another one came in between. */
export class Captures implements AsyncDisposable {
  readonly #options: CapturesOptions;
  readonly #wait: NonNullable<CapturesOptions["wait"]>;
  readonly #kept = new Set<string>();
  #kept_bytes = 0;
  #count = 0;
  /** Captures that were taken because somebody watched, kept or not. */
  #watched = 0;
  #last: string | null = null;
  #full_said = false;
  #watching: { stop: AbortController; done: Promise<void> } | null = null;

  constructor(options: CapturesOptions) {
    this.#options = options;
    this.#wait = options.wait ?? ((ms, signal) => sleep(ms, undefined, { signal }));
  }

  /** Captures `picture` as what a step left; returns it as PNG. */
  async ofStep(picture: Picture, step: number): Promise<Buffer> {
    return this.#capture(picture, step);
  }

  /** From now on, or no more: the screen is captured as it changes. */
  watch(on: boolean): void {
    if (on === (this.#watching !== null)) return;
    if (!on) {
      this.#watching?.stop.abort();
      this.#watching = null;
      return;
    }
    const stop = new AbortController();
    const done = this.#watch(stop.signal).catch((error: unknown) => {
      // The desktop or the job has ended, or events can be kept no more, which whoever emits next is told.
      if (this.#watching?.stop === stop) this.#watching = null;
      return void error;
    });
    this.#watching = { stop, done };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const done = this.#watching?.done;
    this.watch(false);
    await done;
  }

  async #watch(signal: AbortSignal): Promise<void> {
    for (;;) {
      if (this.#options.running()) {
        using look = await this.#options.screen.look(signal);
        const { client } = look;
        while (!client.closed) {
          const seen = client.updates;
          await this.#capture(client.picture, null);
          this.#watched += 1;
          await this.#wait(this.#pace_ms, signal);
          await client.changedSince(seen, signal).catch(() => undefined);
          signal.throwIfAborted();
        }
      }
      await this.#wait(this.#pace_ms, signal);
    }
  }

  get #pace_ms(): number {
    const doubled = Math.floor(this.#watched / WATCHED_PER_PACE);
    return Math.min(WATCHED_FIRST_MS * 2 ** doubled, WATCHED_MAX_MS);
  }

  async #capture(picture: Picture, step: number | null): Promise<Buffer> {
    const { width, height } = picture;
    const png = await pngOf(picture);
    if (this.#count >= CAPTURES_MAX) return png;
    const blob = await this.#keep(png);
    if (blob === null || (step === null && blob === this.#last)) return png;
    this.#last = blob;
    this.#count += 1;
    await this.#options.emit({ type: "screen.captured", data: { blob, width, height, step } });
    return png;
  }

  /** Null when it cannot be kept. */
  async #keep(png: Buffer): Promise<string | null> {
    if (this.#kept_bytes + png.length > CAPTURES_MAX_BYTES) {
      await this.#sayFull();
      return null;
    }
    const blob = await this.#options.blobs.save(png);
    if (blob !== null && !this.#kept.has(blob)) {
      this.#kept.add(blob);
      this.#kept_bytes += png.length;
    }
    return blob;
  }

  async #sayFull(): Promise<void> {
    if (this.#full_said) return;
    this.#full_said = true;
    const message = `The pictures of the screen take more than ${CAPTURES_MAX_BYTES} bytes; no more are kept, and the job goes on.`;
    await this.#options.emit({
      type: "limit.reached",
      data: { limit: "blobs", message, limit_value: CAPTURES_MAX_BYTES, value: null },
    });
  }
}
