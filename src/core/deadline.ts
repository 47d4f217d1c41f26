import type { Clock } from "./clock.ts";

/** What a signal aborts with when its time is up. */
export class DeadlinePassed extends Error {
  constructor(what: string, ms: number) {
    super(`${what} took longer than ${ms} ms.`);
    this.name = "DeadlinePassed";
  }
}

/** Runs `work` with a signal that aborts with DeadlinePassed after `ms`, or with the outer signal's reason when that aborts first. */
export async function withDeadline<T>(
  clock: Clock,
  limit: { what: string; ms: number },
  outer: AbortSignal,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const done = new AbortController();
  const late = new AbortController();
  const alarm = clock.sleep(limit.ms, done.signal).then(
    () => late.abort(new DeadlinePassed(limit.what, limit.ms)),
    () => undefined,
  );
  try {
    return await work(AbortSignal.any([outer, late.signal]));
  } catch (error) {
    if (late.signal.aborted && !outer.aborted) throw late.signal.reason;
    throw error;
  } finally {
    done.abort();
    await alarm;
  }
}
