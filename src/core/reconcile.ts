import type { SandboxId, SandboxStatus } from "./driver.ts";
import { endingAfterAbsence } from "./ending.ts";
import { type Ending, isAtWork } from "./lifecycle.ts";
import type { JobRecord } from "./store.ts";

export type Reconciled = {
  /** Jobs to take up again, each with the cause of its end when its sandbox is dead. */
  resume: { job: JobRecord; ending: Ending | null; status: SandboxStatus | null }[];
  queue: JobRecord[];
};

/** What is to be done after a restart: the jobs that have not ended, held against what the engine has. */
export function reconcile(unended: JobRecord[], statuses: SandboxStatus[]): Reconciled {
  const byId = new Map(statuses.map((status) => [status.id, status]));
  const queue = unended.filter(({ state }) => state.phase === "queued" && !state.cancel_requested);
  const resume = unended
    .filter((job) => !queue.includes(job))
    .map((job) => {
      const status = byId.get(job.state.sandbox_id ?? "") ?? null;
      const { phase, runner_epoch } = job.state;
      const started = phase === "starting" && runner_epoch !== null;
      const worked = started || isAtWork(job.state);
      const dead = status === null || status.state === "exited";
      return { job, status, ending: worked && dead ? endingAfterAbsence(status) : null };
    });
  return { resume, queue };
}

/** Sandboxes and volumes of this installation that belong to no job which has not ended. */
export function leftovers(
  unended: JobRecord[],
  statuses: SandboxStatus[],
): { sandboxes: { id: SandboxId; keep_volume: boolean }[]; volumes: string[] } {
  const ids = new Set(unended.map(({ state }) => state.sandbox_id));
  const kept = new Set(unended.map(({ state }) => state.volume));
  const sandboxes: { id: SandboxId; keep_volume: boolean }[] = [];
  const volumes: string[] = [];
  for (const { id, volume } of statuses) {
    const keep_volume = kept.has(volume);
    if (id !== null && !ids.has(id)) sandboxes.push({ id, keep_volume });
    if (id === null && volume !== null && !keep_volume) volumes.push(volume);
  }
  return { sandboxes, volumes };
}
