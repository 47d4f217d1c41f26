import type { Clock } from "./clock.ts";
import { type Ending, failed } from "./lifecycle.ts";
import type { Pump } from "./pump.ts";
import type { JobRecord } from "./store.ts";

/** Timers of the platform end at 2^31 ms, and clocks may be set; so a long wait is made of pieces. */
const CLOCK_STEP_MS = 60_000;
/** After a restart what the runner did meanwhile is taken in for this long, before the clock strikes for the time of absence. */
const CATCH_UP_MS = 5_000;

/**
 * The wall clock of a working job and its idle clock: resolves with the ending of whichever strikes first, with null when the signal
 * aborts. `resumed`: the job was at work already when this orchestrator took it up.
 */
export async function watchClocks(
  { limits, state }: JobRecord,
  pump: Pick<Pump, "active_at" | "touch">,
  { clock, resumed }: { clock: Clock; resumed: boolean },
  signal: AbortSignal,
): Promise<Ending | null> {
  pump.touch();
  const began = pump.active_at;
  const limit = Date.parse(state.started_at ?? clock.now()) + limits.timeout_s * 1000;
  const wall = resumed ? Math.max(limit, began + CATCH_UP_MS) : limit;
  while (!signal.aborted) {
    const now = Date.parse(clock.now());
    const idle = pump.active_at + limits.idle_timeout_s * 1000;
    if (now >= wall) return failed("timed_out", `The job reached its clock limit of ${limits.timeout_s} s.`);
    if (now >= idle) return failed("idle_timed_out", `Nothing happened for ${limits.idle_timeout_s} s.`);
    await clock.sleep(Math.min(wall - now, idle - now, CLOCK_STEP_MS), signal).catch(() => undefined);
  }
  return null;
}
