import { withDeadline } from "./deadline.ts";
import type { Dependencies } from "./dependencies.ts";
import type { SandboxStatus } from "./driver.ts";
import { reconcile } from "./reconcile.ts";
import type { Scheduler } from "./scheduler.ts";

/** At start the engine may be away this long before jobs wait for it instead of the start. */
const ENGINE_AT_START_MS = 3_000;

/** An orchestrator that was killed between an upload and its job left files that belong to nothing; no request is served yet. */
export async function removeOrphans({
  artifacts,
  store,
}: Pick<Dependencies, "artifacts" | "store">): Promise<void> {
  for await (const job_id of artifacts.list())
    if ((await store.getJob(job_id)) === null) await artifacts.remove(job_id);
}

/** Goes on with the jobs that an earlier orchestrator left, each in its phase. */
export async function takeUp(
  { store, driver, clock, log }: Pick<Dependencies, "store" | "driver" | "clock" | "log">,
  scheduler: Scheduler,
  outer: AbortSignal,
): Promise<void> {
  const unended = await store.unendedJobs();
  let statuses: SandboxStatus[] | null = null;
  try {
    const limit = { what: "Asking the container engine", ms: ENGINE_AT_START_MS };
    statuses = await withDeadline(clock, limit, outer, (signal) => driver.list(signal));
  } catch (error) {
    log("warn", "The container engine does not answer at start.", { error: String(error) });
  }
  const { resume, queue } = reconcile(unended, statuses ?? []);
  for (const { job, ending, status } of resume) {
    const run = scheduler.launch(job);
    if (statuses === null) continue;
    if (ending !== null && !run.may_take_over) run.end(ending);
    if (job.state.phase !== "starting" || ending !== null || status !== null) run.sandboxChanged(status);
  }
  for (const job of queue) scheduler.enqueue(job);
}
