import type { IncomingMessage } from "node:http";
import { AppError } from "../../contract/errors.ts";
import type { Outbound } from "../../core/outbound.ts";

/** The largest request that a provider takes by itself is 32 MB (Anthropic's Messages API); it is kept here until its call is over. */
export const BODY_MAX_BYTES = 32 * 1024 * 1024;
/** What the calls of one job that are under way may hold in all, and how many these may be: one connection can carry many at once. */
export const BODIES_MAX_BYTES = 4 * BODY_MAX_BYTES;
export const CALLS_MAX = 64;

type Held = { bytes: number; calls: number };

/** What the calls that are under way hold, by the job that makes them. */
export class RequestBodies {
  readonly #held = new WeakMap<Outbound, Held>();

  /**
   * Reads the whole body, which a retry needs again, and gives it to `use`. Throws AppError `body_too_large` for one that is too large,
   * and `too_many_requests` when the job's other calls are too many or hold too much already.
   */
  async with(
    request: IncomingMessage,
    caller: Outbound,
    signal: AbortSignal,
    use: (body: Buffer) => Promise<void>,
  ): Promise<void> {
    const held = this.#held.get(caller) ?? { bytes: 0, calls: 0 };
    this.#held.set(caller, held);
    if (held.calls >= CALLS_MAX) throw tooMuch(`${CALLS_MAX} model calls of this job are under way`);
    const own = { bytes: 0 };
    held.calls += 1;
    try {
      await use(await this.#read(request, held, own, signal));
    } finally {
      held.calls -= 1;
      held.bytes -= own.bytes;
    }
  }

  async #read(
    request: IncomingMessage,
    held: Held,
    own: { bytes: number },
    signal: AbortSignal,
  ): Promise<Buffer> {
    if (Number(request.headers["content-length"] ?? 0) > BODY_MAX_BYTES) throw tooLarge();
    const chunks: Buffer[] = [];
    // The request stays open when it is refused, since the answer goes over the same connection.
    for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
      signal.throwIfAborted();
      own.bytes += chunk.length;
      held.bytes += chunk.length;
      if (own.bytes > BODY_MAX_BYTES) throw tooLarge();
      if (held.bytes > BODIES_MAX_BYTES)
        throw tooMuch(`the model calls of this job that are under way hold ${BODIES_MAX_BYTES} bytes`);
      chunks.push(chunk);
    }
    return Buffer.concat(chunks);
  }
}

function tooLarge(): AppError {
  return new AppError({
    code: "body_too_large",
    message: `A request to a model is larger than ${BODY_MAX_BYTES} bytes.`,
    hint: "Send less at a time, or smaller images.",
  });
}

function tooMuch(why: string): AppError {
  return new AppError({
    code: "too_many_requests",
    message: `A model call must wait: ${why}.`,
    hint: "Make fewer or smaller calls at the same time.",
  });
}
