import { setTimeout as delay } from "node:timers/promises";

/** Waits. Rejects with the reason of the signal, where node's own timer has an AbortError that only names it as its cause. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  try {
    await delay(ms, undefined, { signal });
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  }
}
