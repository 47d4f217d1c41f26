import { once } from "node:events";
import { AppError } from "../contract/errors.ts";
import type { RunnerEventBody } from "../contract/event.ts";
import type { Message } from "../contract/link.ts";

/** Messages that the agent has not read yet; a person who writes more is told so. */
const WAITING_MAX = 100;
/** Ids that are remembered, so that a message which is sent again is taken once. */
const IDS_MAX = 1_000;
/** Who was at work in the sandbox this long ago still is: the job stays open for them, however short it lingers otherwise. */
export const STAYS_MS = 60_000;

/** What people said to a running agent and it has not read yet. */
export class Inbox {
  readonly #emit: (body: RunnerEventBody) => Promise<void>;
  readonly #waiting: string[] = [];
  readonly #ids = new Set<string>();
  readonly #arrived = new EventTarget();
  #closed = false;
  #touched_at = Number.NEGATIVE_INFINITY;

  constructor(emit: (body: RunnerEventBody) => Promise<void>) {
    this.#emit = emit;
  }

  /** Takes a message in, once for each id. Throws AppError `conflict` when the agent has ended or too many wait. */
  async put({ id, text }: Message): Promise<void> {
    if (this.#ids.has(id)) return;
    if (this.#closed) throw new AppError({ code: "conflict", message: "The agent has ended." });
    if (this.#waiting.length >= WAITING_MAX)
      throw new AppError({
        code: "conflict",
        message: `${WAITING_MAX} messages wait for the agent already.`,
        hint: "Wait until it has read some.",
      });
    this.#ids.add(id);
    if (this.#ids.size > IDS_MAX) for (const oldest of [...this.#ids].slice(0, 1)) this.#ids.delete(oldest);
    // Waiting first: a message that comes as the agent ends is either read by it or refused.
    this.#waiting.push(text);
    await this.#emit({ type: "message.said", data: { from: "person", text } });
    this.#arrived.dispatchEvent(new Event("arrived"));
  }

  /** All that waits, in order; empty when nothing does. */
  take(): string[] {
    return this.#waiting.splice(0);
  }

  /** Somebody is at work in the sandbox right now. */
  touch(): void {
    this.#touched_at = performance.now();
  }

  /** Whether somebody was at work within the last STAYS_MS. */
  get touched(): boolean {
    return performance.now() - this.#touched_at < STAYS_MS;
  }

  /**
   * The next messages, as soon as there are any; null when `wait_ms` have passed and nobody was at work meanwhile, or when the signal
   * aborts. After null nothing more is taken in.
   */
  async next(wait_ms: number, signal: AbortSignal): Promise<string[] | null> {
    const began = performance.now();
    while (this.#waiting.length === 0) {
      const until = Math.max(began + wait_ms, this.#touched_at + Math.max(wait_ms, STAYS_MS));
      const left_ms = Math.ceil(until - performance.now());
      if (signal.aborted || left_ms <= 0) {
        this.#closed = true;
        return null;
      }
      const waited = AbortSignal.any([signal, AbortSignal.timeout(left_ms)]);
      await once(this.#arrived, "arrived", { signal: waited }).catch(() => undefined);
    }
    return this.take();
  }
}
