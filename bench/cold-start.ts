import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { script, type TestOrchestrator } from "../e2e/harness.ts";
import type { Event, EventType } from "../src/contract/event.ts";
import { Limits } from "../src/contract/limits.ts";
import { containerOptions } from "../src/drivers/docker-container.ts";
import type { Machine } from "./bench-sandbox.ts";
import { firstOutputOfDocker } from "./docker-command.ts";
import { type Summary, settle, summarize, wallClockMs } from "./statistics.ts";

const COMMAND = "echo x";

/** Points between a request and its first output, in this order; each is named by what has just been done when it is reached. */
const POINTS = [
  "request answered by an accepted job",
  "taken from the queue",
  "image looked up, sockets, volume, container created",
  "container started by the engine",
  "start answered to the driver",
  "runner started and linked",
  "start delivered to the runner",
  "first step begun",
  "first output stored",
  "first output at the client",
] as const;
type Point = (typeof POINTS)[number];

export type ColdStart = {
  /** `POST /schedule` to the first `step.output` at an HTTP client. */
  sealwork: Summary;
  /** `docker run --rm --network none IMAGE sh -c 'echo x'` to its first byte of output: what the target is about. */
  docker_run: Summary;
  /** The same through the engine's API, with a volume and all the hardening of a sandbox: what the engine alone needs for one. */
  docker_hardened: Summary;
  /** Medians of the time up to each point from the one before. */
  trace: { point: Point; ms: number }[];
};

/** Measures the three by turns, so that whatever else the machine does falls on all of them; the first turn is not counted. */
export async function measureColdStart(
  machine: Machine,
  orchestrator: TestOrchestrator,
  runs: number,
): Promise<ColdStart> {
  const sealwork: number[] = [];
  const docker_run: number[] = [];
  const docker_hardened: number[] = [];
  const traces: Record<Point, number>[] = [];
  for (let turn = 0; turn <= runs; turn++) {
    await settle();
    const job = await firstOutputOfJob(machine, orchestrator);
    await settle();
    const plain = await firstOutputOfDocker([
      "run",
      "--rm",
      "--network",
      "none",
      machine.image,
      "sh",
      "-c",
      COMMAND,
    ]);
    await settle();
    const hardened = await firstOutputOfHardened(machine);
    if (turn === 0) continue;
    sealwork.push(job.ms);
    docker_run.push(plain);
    docker_hardened.push(hardened);
    traces.push(job.trace);
  }
  return {
    sealwork: summarize(sealwork),
    docker_run: summarize(docker_run),
    docker_hardened: summarize(docker_hardened),
    trace: POINTS.map((point) => ({ point, ms: summarize(traces.map((trace) => trace[point])).median })),
  };
}

async function firstOutputOfJob(
  { docker }: Machine,
  orchestrator: TestOrchestrator,
): Promise<{ ms: number; trace: Record<Point, number> }> {
  const begun = wallClockMs();
  const job_id = await orchestrator.schedule({ prompt: script(COMMAND) });
  const events: Event[] = [];
  let arrived: number | null = null;
  for await (const event of orchestrator.events(job_id)) {
    if (event.type === "step.output") arrived ??= wallClockMs();
    events.push(event);
  }
  assert(arrived !== null, "the job printed something");
  const ended = wallClockMs();
  // The sandbox is removed after the end of the job, which must not weigh on the next turn.
  while ((await orchestrator.containers(job_id)).length > 0);
  const engine = await engineEvents(docker, job_id, { since_ms: begun, until_ms: ended });
  const working = (event: Event) => event.type === "phase.changed" && event.data.phase === "working";
  const starting = (event: Event) => event.type === "phase.changed" && event.data.phase === "starting";
  const reached: Record<Point, number> = {
    "request answered by an accepted job": timeOf(events, "job.scheduled"),
    "taken from the queue": timeOf(events, starting),
    "image looked up, sockets, volume, container created": engine.create,
    "container started by the engine": engine.start,
    "start answered to the driver": timeOf(events, "sandbox.started"),
    "runner started and linked": timeOf(events, "sandbox.linked"),
    "start delivered to the runner": timeOf(events, working),
    "first step begun": timeOf(events, "step.started"),
    "first output stored": timeOf(events, "step.output"),
    "first output at the client": arrived,
  };
  let before = begun;
  const trace = { ...reached };
  for (const point of POINTS) {
    trace[point] = reached[point] - before;
    before = reached[point];
  }
  return { ms: arrived - begun, trace };
}

function timeOf(events: readonly Event[], which: EventType | ((event: Event) => boolean)): number {
  const matches = typeof which === "function" ? which : (event: Event) => event.type === which;
  const event = events.find(matches);
  assert(event !== undefined, `the job has no event ${String(which)}`);
  return Date.parse(event.at);
}

/** When the engine says that it created and started the container of a job, in ms since 1970. */
async function engineEvents(
  docker: Machine["docker"],
  job_id: string,
  span: { since_ms: number; until_ms: number },
): Promise<{ create: number; start: number }> {
  const stream: unknown = await docker.getEvents({
    since: span.since_ms / 1000,
    until: span.until_ms / 1000,
    filters: { label: [`sealwork.job=${job_id}`], event: ["create", "start"], type: ["container"] },
  });
  assert(stream instanceof Readable);
  const lines = (await Array.fromAsync(stream.setEncoding("utf8"))).join("").split("\n").filter(Boolean);
  const times = new Map<string, number>();
  for (const line of lines) {
    const { Action, timeNano } = JSON.parse(line) as { Action: string; timeNano: number };
    times.set(Action, timeNano / 1e6);
  }
  const create = times.get("create");
  const start = times.get("start");
  assert(create !== undefined && start !== undefined, "the engine has events of the container");
  return { create, start };
}

/** From the first request to the engine to the first byte of a process that runs under all that a sandbox runs under. */
async function firstOutputOfHardened({ docker, image }: Machine): Promise<number> {
  const installation = `bench-${randomBytes(4).toString("hex")}`;
  const link_folder = await mkdtemp(join(tmpdir(), "sb-"));
  const volume = `sealwork-${installation}`;
  const spec = {
    id: installation,
    job_id: installation,
    volume,
    image,
    link_folder,
    limits: Limits.parse({}),
    runtime: null,
  };
  try {
    const begun = performance.now();
    const labels = { "sealwork.installation": installation, "sealwork.job": installation };
    await docker.createVolume({ Name: volume, Labels: labels });
    const container = await docker.createContainer({
      ...containerOptions(installation, spec),
      Cmd: ["sh", "-c", COMMAND],
    });
    try {
      const stream = await container.attach({ stream: true, stdout: true, stderr: true });
      const first = once(stream, "data").then(() => performance.now() - begun);
      await container.start();
      const ms = await first;
      stream.removeAllListeners();
      return ms;
    } finally {
      await container.remove({ force: true, v: true });
      await docker.getVolume(volume).remove();
    }
  } finally {
    await rm(link_folder, { recursive: true, force: true });
  }
}
