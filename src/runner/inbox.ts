import { once } from "node:events";
import { AppError } from "../contract/errors.ts";
import type { RunnerEventBody } from "../contract/event.ts";
import type { Message } from "../contract/link.ts";

/** Messages that the agent has not read yet; a person who writes more is told so. */
const WAITING_MAX = 100;
/** Ids that are remembered, so that a message which is sent again is taken once. */
const IDS_MAX = 1_000;

/** What people said to a running agent and it has not read yet. */
export class Inbox {
  readonly #emit: (body: RunnerEventBody) => Promise<void>;
  readonly #waiting: string[] = [];
  readonly #ids = new Set<string>();
  readonly #arrived = new EventTarget();
  #closed = false;

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

  /** The next messages, as soon as there are any; null after `wait_ms`, or when the signal aborts. After null nothing more is taken in. */
  async next(wait_ms: number, signal: AbortSignal): Promise<string[] | null> {
    const waited = wait_ms > 0 ? AbortSignal.any([signal, AbortSignal.timeout(wait_ms)]) : null;
    while (this.#waiting.length === 0) {
      if (waited === null || waited.aborted) {
        this.#closed = true;
        return null;
      }
      await once(this.#arrived, "arrived", { signal: waited }).catch(() => undefined);
    }
    return this.take();
  }
}
