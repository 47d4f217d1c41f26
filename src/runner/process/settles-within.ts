import { setTimeout as sleep } from "node:timers/promises";

/** Whether a promise settles in that time. Never rejects. */
export async function settlesWithin(promise: Promise<unknown>, wait_ms: number): Promise<boolean> {
  const waited = new AbortController();
  const late = sleep(wait_ms, false, { signal: waited.signal }).catch(() => false);
  const settled = promise.then(
    () => true,
    () => true,
  );
  try {
    return await Promise.race([settled, late]);
  } finally {
    waited.abort();
  }
}
