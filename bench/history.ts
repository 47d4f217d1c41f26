import assert from "node:assert/strict";
import { seedBigJob } from "../e2e/big-job.ts";
import type { TestOrchestrator } from "../e2e/harness.ts";
import { EVENT_TYPES } from "../src/contract/event.ts";
import { type Summary, settle, summarize } from "./statistics.ts";

const EVENTS = 100_000;
const OUTPUT_BYTES = 50_000_000;
const PAGE_EVENTS = 2_000;
/** About 200 kB, as the output of this job is cut. */
const OUTPUT_PAGE_EVENTS = 300;
/** Of the job whose events count, so few are output that a client who wants none of it reads nearly all. */
const LITTLE = { output_bytes: 500_000, output_share: 0.05 };

/** Times in ms until an HTTP client has all of an answer, as NDJSON. `events` is of one job with 100,000 events, `output` of one with 50 MB of output. */
export type History = {
  /** Without `step.output`: the last 2,000, and all of them. */
  events: { page: Summary; all: Summary };
  output: { page: Summary; all: Summary };
};

/** By turns. The client takes nothing apart: what is measured is store, server and HTTP. The first turn is not counted. */
export async function measureHistory(orchestrator: TestOrchestrator, runs: number): Promise<History> {
  await orchestrator.stop();
  const long = await seedBigJob(orchestrator.data, { events: EVENTS, ...LITTLE });
  const loud = await seedBigJob(orchestrator.data, { events: EVENTS, output_bytes: OUTPUT_BYTES });
  await orchestrator.restart();
  const types = EVENT_TYPES.filter((type) => type !== "step.output").join(",");
  const before = EVENTS + 1;
  const requests = {
    page: {
      path: `/jobs/${long}/events?types=${types}&before=${before}&limit=${PAGE_EVENTS}`,
      least_bytes: 100_000,
    },
    all: { path: `/jobs/${long}/events?types=${types}&follow=false`, least_bytes: 10_000_000 },
    output_page: {
      path: `/jobs/${loud}/events?types=step.output&before=${before}&limit=${OUTPUT_PAGE_EVENTS}`,
      least_bytes: 200_000,
    },
    output_all: { path: `/jobs/${loud}/events?types=step.output&follow=false`, least_bytes: OUTPUT_BYTES },
  };
  type Name = keyof typeof requests;
  const times: Record<Name, number[]> = { page: [], all: [], output_page: [], output_all: [] };
  for (let turn = 0; turn <= runs; turn += 1) {
    for (const [name, { path, least_bytes }] of Object.entries(requests) as [
      Name,
      (typeof requests)[Name],
    ][]) {
      await settle();
      const begun = performance.now();
      const bytes = await readAll(orchestrator, path);
      if (turn > 0) times[name].push(performance.now() - begun);
      assert(bytes >= least_bytes, `${path} gave ${bytes} bytes`);
    }
  }
  return {
    events: { page: summarize(times.page), all: summarize(times.all) },
    output: { page: summarize(times.output_page), all: summarize(times.output_all) },
  };
}

async function readAll(orchestrator: TestOrchestrator, path: string): Promise<number> {
  const answer = await orchestrator.fetch(path, { headers: { accept: "application/x-ndjson" } });
  assert.equal(answer.status, 200);
  let bytes = 0;
  for await (const chunk of answer.body ?? []) bytes += chunk.length;
  return bytes;
}
