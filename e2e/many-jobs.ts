import { join } from "node:path";
import { openSqliteStore } from "../src/stores/sqlite.ts";
import { newJob } from "../src/stores/store-fixtures.ts";

const MINUTE_MS = 60_000;

/** Writes jobs that ended long ago into the state folder of an orchestrator that does not run: `Kept job 1` is the oldest. */
export async function seedManyJobs(data_folder: string, count: number): Promise<void> {
  await using store = await openSqliteStore({ file: join(data_folder, "sealwork.db") });
  const first_ms = Date.now() - (count + 1) * MINUTE_MS;
  for (let n = 1; n <= count; n += 1) {
    const at = new Date(first_ms + n * MINUTE_MS).toISOString();
    const times = { starting_at: at, started_at: at, packing_at: at, ended_at: at };
    const job = newJob({
      scheduled_at: at,
      request: { prompt: `# Kept job ${n}\n`, agent: "script", labels: n % 2 === 0 ? { even: "" } : {} },
      state: { status: "complete", phase: "ended", ...times },
    });
    await store.insertJob(job, [], null);
  }
}
