import { AppError } from "../contract/errors.ts";
import type { Dependencies } from "./dependencies.ts";
import type { SandboxStatus } from "./driver.ts";
import { leftovers } from "./reconcile.ts";
import { removeExpired } from "./retention.ts";

const WATCH_RETRY_MIN_MS = 250;
const WATCH_RETRY_MAX_MS = 2_000;
const SWEEP_INTERVAL_MS = 5 * 60_000;

/** Tells who asks of every change at the engine, from now until the signal aborts; after a gap, of everything there is. */
export async function watchSandboxes(
  { driver, clock, log }: Pick<Dependencies, "driver" | "clock" | "log">,
  told: {
    changed: (status: SandboxStatus) => void;
    /** All there is, after a gap: what is not in it is gone. */
    listed: (statuses: SandboxStatus[]) => void;
  },
  signal: AbortSignal,
): Promise<void> {
  let pause = WATCH_RETRY_MIN_MS;
  let away = false;
  while (!signal.aborted) {
    const round = new AbortController();
    try {
      const changes = driver.watch(AbortSignal.any([signal, round.signal]))[Symbol.asyncIterator]();
      // The first wait begins before the list, so that what changes in between is seen twice and not missed.
      let next = changes.next();
      next.catch(() => undefined);
      told.listed(await driver.list(signal));
      if (away) log("info", "The container engine answers again.");
      away = false;
      pause = WATCH_RETRY_MIN_MS;
      for (let change = await next; change.done !== true; change = await next) {
        told.changed(change.value);
        next = changes.next();
      }
    } catch (error) {
      if (signal.aborted) return;
      if (!away)
        log("warn", "The container engine does not answer; it is tried again.", { error: String(error) });
      away = true;
    } finally {
      // A list that failed must not leave a watch behind that nobody reads.
      round.abort();
    }
    await clock.sleep(pause, signal).catch(() => undefined);
    pause = Math.min(pause * 2, WATCH_RETRY_MAX_MS);
  }
}

/** Removes sandboxes and volumes of this installation that belong to nothing. */
export async function sweep(
  { driver, store, links, log }: Pick<Dependencies, "driver" | "store" | "links" | "log">,
  signal: AbortSignal,
): Promise<void> {
  const statuses = await driver.list(signal);
  const folders = await links.list();
  // Read after the lists: a job's sandbox is stored before it is made, so none that is new can look like a leftover.
  const unended = await store.unendedJobs();
  const { sandboxes, volumes } = leftovers(unended, statuses);
  for (const { id, keep_volume } of sandboxes) {
    log("info", "A sandbox that belongs to no running job is removed.", { sandbox_id: id });
    await driver.destroy(id, { keep_volume }, signal);
  }
  for (const volume of volumes) await driver.destroyVolume(volume, signal);
  const known = new Set(unended.map(({ state }) => state.sandbox_id));
  for (const id of folders) if (!known.has(id)) await links.close(id);
}

/** Sweeps and removes what is too old, again and again until the signal aborts. */
export async function keepHouse(
  dependencies: Pick<Dependencies, "driver" | "store" | "links" | "artifacts" | "clock" | "config" | "log">,
  signal: AbortSignal,
): Promise<void> {
  const { clock, config, log } = dependencies;
  const chores = [
    { every_ms: SWEEP_INTERVAL_MS, work: () => sweep(dependencies, signal), what: "Sweeping" },
    {
      every_ms: config.retention.interval_s * 1000,
      work: () => removeExpired(dependencies, signal),
      what: "Removing what is too old",
    },
  ];
  await Promise.all(
    chores.map(async ({ every_ms, work, what }) => {
      while (!signal.aborted) {
        try {
          await work();
        } catch (error) {
          if (signal.aborted) return;
          const known = error instanceof AppError;
          log(known ? "warn" : "error", `${what} failed; it is tried again later.`, { error: String(error) });
        }
        await clock.sleep(every_ms, signal).catch(() => undefined);
      }
    }),
  );
}
