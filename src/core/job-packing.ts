import { AppError } from "../contract/errors.ts";
import type { CurrentJob } from "./current-job.ts";
import { DeadlinePassed, withDeadline } from "./deadline.ts";
import type { Dependencies } from "./dependencies.ts";
import type { EndingOnce } from "./ending.ts";
import type { JobSandboxes } from "./job-sandboxes.ts";
import { failed, toEnded, toPacking } from "./lifecycle.ts";
import type { SandboxLink } from "./link.ts";
import { type Packed, packJob } from "./packing.ts";
import type { Pump } from "./pump.ts";
import { RELINK_MS } from "./relink.ts";
import type { JobState } from "./store.ts";

const STOP_MS = 6_000;
const QUIESCE_MS = 15_000;
const PACK_ATTEMPTS = 3;
const PACKS = "A fresh sandbox packs the volume of a dead one.";

/** A job whose ending is known, with what is left of its work. */
export type WorkToPack = {
  job: CurrentJob;
  ending: Pick<EndingOnce, "value">;
  pump: Pump;
  sandboxes: JobSandboxes;
  dependencies: Dependencies;
};

/** Packs the work of a job and stores that it has ended. Throws what keeps the ZIP from being written; then it may be tried again. */
export async function packWork(work: WorkToPack, shutdown: AbortSignal): Promise<void> {
  const { job, dependencies } = work;
  const now = (): string => dependencies.clock.now();
  const ending = work.ending.value ?? failed("internal", "The job ended without a reason.");
  await job.apply((state) => (state.phase === "packing" ? null : toPacking(state, now(), ending)));
  let packed: Packed | null = null;
  if (hasBegun(job.state)) packed = await packWorkspace(work, shutdown);
  packed ??= await packJob(job.record, null, { patch: false }, dependencies, shutdown);
  const done = packed;
  await job.apply((state) => toEnded(state, now(), done));
}

/** There is work that is worth packing. */
export function hasBegun({ runner_epoch, started_at }: JobState): boolean {
  return runner_epoch !== null || started_at !== null;
}

/** Packs out of the living sandbox, or out of a fresh one on the old volume; null when neither can be had. */
async function packWorkspace(work: WorkToPack, shutdown: AbortSignal): Promise<Packed | null> {
  const { job, sandboxes, dependencies } = work;
  let link = await quietLink(work, shutdown);
  let patch = job.record.request.patch;
  for (let attempt = 1; attempt <= PACK_ATTEMPTS; attempt++) {
    try {
      link ??= await sandboxes.replace({ reason: PACKS, works: false }, shutdown);
      return await packJob(job.record, link, { patch }, dependencies, shutdown);
    } catch (error) {
      if (shutdown.aborted) throw error;
      warn(work, `Packing failed (attempt ${attempt} of ${PACK_ATTEMPTS}).`, error);
      // A patch that cannot be made (no git on this machine, say) must not cost the work itself.
      if (error instanceof AppError && error.code === "setup_failed") patch = false;
      if (error instanceof AppError && error.code === "protocol_violated") await spoil(job, error.message);
      else if (link !== null && link.lost.aborted === false && !(error instanceof AppError)) throw error;
      link = null;
    }
  }
  if (job.state.ending?.status === "complete")
    await job.apply({
      change: { ending: failed("sandbox_died", "The work was done, but it could not be packed.") },
      events: [],
    });
  return null;
}

/** What lied while it was packed is not complete, whatever it said before. */
async function spoil(job: CurrentJob, message: string): Promise<void> {
  if (job.state.ending?.status !== "complete") return;
  await job.apply({ change: { ending: failed("protocol_violated", message) }, events: [] });
}

/** The link to a sandbox in which nothing runs any more; null when that cannot be had from this sandbox. */
async function quietLink(work: WorkToPack, shutdown: AbortSignal): Promise<SandboxLink | null> {
  const { job, pump, dependencies } = work;
  const sandbox = work.sandboxes.current;
  const { clock } = dependencies;
  if (sandbox === null || sandbox.gone.aborted) return null;
  try {
    const { link_secret, ending } = job.state;
    const link =
      sandbox.link ??
      (await withDeadline(clock, { what: "Linking again", ms: RELINK_MS }, shutdown, (signal) =>
        sandbox.connect(link_secret, signal),
      ));
    if (!pump.agent_ended && link_secret !== null) {
      const cause = ending?.status === "cancelled" ? "cancelled" : "timed_out";
      await withDeadline(clock, { what: "Stopping the agent", ms: STOP_MS }, shutdown, async (signal) => {
        await link.stop({ cause }, signal);
        await pump.run(link, signal);
      }).catch((error: unknown) => {
        if (!(error instanceof DeadlinePassed)) throw error;
      });
    }
    await withDeadline(clock, { what: "Quieting the sandbox", ms: QUIESCE_MS }, shutdown, (signal) =>
      link.quiesce(AbortSignal.any([signal, sandbox.gone])),
    );
    return link;
  } catch (error) {
    if (shutdown.aborted) throw error;
    warn(work, "The sandbox could not be quieted; a fresh one packs its volume.", error);
    return null;
  }
}

function warn({ job, dependencies }: WorkToPack, message: string, error: unknown): void {
  const detail = error instanceof Error ? (error.stack ?? error.message) : String(error);
  dependencies.log("warn", message, { job_id: job.record.job_id, error: detail });
}
