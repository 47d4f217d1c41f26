import type { Clock } from "./clock.ts";
import type { CurrentJob } from "./current-job.ts";
import { COMPLETE, type Ending, failed } from "./lifecycle.ts";
import type { Pump } from "./pump.ts";

/** Timers of the platform end at 2^31 ms, and clocks may be set; so a long wait is made of pieces. */
const CLOCK_STEP_MS = 60_000;
/** After a restart what the runner did meanwhile is taken in for this long, before the clock strikes for the time of absence. */
const CATCH_UP_MS = 5_000;

/**
 * The wall clock of a job at work and its idle clock: resolves with the ending of whichever strikes first, with null when the signal
 * aborts. A job that waits for a person uses no idle time. `resumed`: it was at work already when this orchestrator took it up.
 */
export async function watchClocks(
  job: Pick<CurrentJob, "record" | "state">,
  pump: Pick<Pump, "active_at" | "touch">,
  { clock, resumed }: { clock: Clock; resumed: boolean },
  signal: AbortSignal,
): Promise<Ending | null> {
  const { limits } = job.record;
  pump.touch();
  const began = pump.active_at;
  const limit = Date.parse(job.state.started_at ?? clock.now()) + limits.timeout_s * 1000;
  const wall = resumed ? Math.max(limit, began + CATCH_UP_MS) : limit;
  while (!signal.aborted) {
    const now = Date.parse(clock.now());
    if (job.state.phase === "waiting") pump.touch();
    const idle = pump.active_at + limits.idle_timeout_s * 1000;
    if (now >= wall) return struck(job, limits.timeout_s);
    if (now >= idle) return failed("idle_timed_out", `Nothing happened for ${limits.idle_timeout_s} s.`);
    await clock.sleep(Math.min(wall - now, idle - now, CLOCK_STEP_MS), signal).catch(() => undefined);
  }
  return null;
}

/** An agent that has answered and only lingers for a follow-up has done its work; the clock then ends no more than the waiting. */
function struck({ state }: Pick<CurrentJob, "state">, timeout_s: number): Ending {
  if (state.lingering && state.approvals.length === 0) return COMPLETE;
  return failed("timed_out", `The job reached its clock limit of ${timeout_s} s.`);
}
