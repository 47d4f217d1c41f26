import { readFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { script, type TestOrchestrator } from "../e2e/harness.ts";
import { type Machine, openBenchSandbox } from "./bench-sandbox.ts";

const MB = 1e6;
/** Idle is what it is when nothing has been asked for this long; collections of garbage that are due have happened by then. */
const QUIET_MS = 10_000;
const JOBS = 10;

/** In MB (10^6 bytes). */
export type Memory = {
  orchestrator: { rss: number; pss: number };
  /** `used`: what the kernel counts for the container, less what it would give back at once (cached files). `runner_*`: PID 1 alone. */
  sandbox: { used: number; runner_rss: number; runner_pss: number };
};

/** The orchestrator after ten jobs, and a sandbox whose runner has linked and waits, both after a while without work. */
export async function measureMemory(machine: Machine, orchestrator: TestOrchestrator): Promise<Memory> {
  for (let job = 0; job < JOBS; job++)
    await orchestrator.ended(await orchestrator.schedule({ prompt: script("seq 1 1000") }));
  await using sandbox = await openBenchSandbox(machine, null);
  // Idle means that time passes: there is no event to wait for.
  await sleep(QUIET_MS);
  const container = machine.docker.getContainer(sandbox.container);
  const runner = await residentOf((await container.inspect()).State.Pid);
  const { memory_stats } = await container.stats({ stream: false });
  // As `docker stats` counts: cgroup v1 names what can be given back total_inactive_file, v2 inactive_file.
  const counted: Record<string, number> = { ...memory_stats.stats };
  const used = memory_stats.usage - (counted.total_inactive_file ?? counted.inactive_file ?? 0);
  return {
    orchestrator: await residentOf(orchestrator.pid),
    sandbox: { used: used / MB, runner_rss: runner.rss, runner_pss: runner.pss },
  };
}

/** Resident memory of a process from Linux's smaps_rollup (proc(5)); PSS shares what several processes have mapped among them. */
async function residentOf(pid: number): Promise<{ rss: number; pss: number }> {
  const text = await readFile(`/proc/${pid}/smaps_rollup`, "utf8");
  const field = (name: string) =>
    (Number(text.match(new RegExp(`^${name}:\\s+(\\d+) kB$`, "m"))?.[1]) * 1024) / MB;
  return { rss: field("Rss"), pss: field("Pss") };
}
