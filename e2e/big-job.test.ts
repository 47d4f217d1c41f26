import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Event } from "../src/contract/event.ts";
import { failed } from "../src/core/lifecycle.ts";
import { refused } from "./answers.ts";
import { seedBigJob } from "./big-job.ts";
import { TestOrchestrator } from "./harness.ts";

const EVENTS = 4_000;
const OUTPUT_BYTES = 600_000;

let orchestrator: TestOrchestrator;
let job_id: string;
let all: Event[];
before(async () => {
  orchestrator = await TestOrchestrator.start();
  await orchestrator.stop();
  job_id = await seedBigJob(orchestrator.data, { events: EVENTS, output_bytes: OUTPUT_BYTES });
  await orchestrator.restart();
  all = await orchestrator.allEvents(job_id);
});
after(async () => {
  await orchestrator[Symbol.asyncDispose]();
});

const page = (query: string) => Array.fromAsync(orchestrator.events(job_id, `?${query}`));
const seqs = (events: Event[]) => events.map(({ seq }) => seq);

test("a seeded job is like one that ran: valid events, pictures, output, a ZIP", async () => {
  assert.deepEqual(
    seqs(all),
    Array.from({ length: EVENTS }, (_, index) => index + 1),
  );
  for (const event of all) Event.parse(event);
  const job = await orchestrator.job(job_id);
  assert.equal(job.status, "complete");
  const written = Buffer.byteLength(await orchestrator.logs(job_id));
  assert.equal(job.usage.output_bytes, written);
  assert(Math.abs(written - OUTPUT_BYTES) < 1_000, `${written} bytes were written`);
  const types = new Set(all.map(({ type }) => type));
  for (const type of [
    "plan.made",
    "file.changed",
    "model.called",
    "metrics.sampled",
    "approval.given",
    "egress.denied",
  ])
    assert(types.has(type as Event["type"]), type);
  const captured = all.find((event) => event.type === "screen.captured");
  assert(captured?.type === "screen.captured");
  const picture = await orchestrator.fetch(`/jobs/${job_id}/blobs/${captured.data.blob}`);
  assert.match(Buffer.from(await picture.arrayBuffer()).toString("latin1"), /^\u0089PNG/);
  const zip = await orchestrator.zip(job_id);
  assert(zip.has("report.md") && zip.has(".sealwork/events.ndjson"));
});

test("a job can be seeded that failed", async () => {
  await orchestrator.stop();
  const ending = failed("out_of_memory", "The runner was the victim of the kernel.");
  const other = await seedBigJob(orchestrator.data, { events: 300, output_bytes: 1_000, ending });
  await orchestrator.restart();
  const { status, reason } = await orchestrator.job(other);
  assert.deepEqual([status, reason?.code], ["error", "out_of_memory"]);
});

test("the pages before one another are all events, and end there", async () => {
  const pages: Event[][] = [];
  for (let before = EVENTS + 1; before > 1; before = pages[0]?.[0]?.seq ?? 1)
    pages.unshift(await page(`before=${before}&limit=700`));
  assert.deepEqual(
    pages.map((events) => events.length),
    [500, 700, 700, 700, 700, 700],
  );
  assert.deepEqual(pages.flat(), all);
});

test("pages of some types, pages after an event, and the range between two", async () => {
  const outputs = all.filter(({ type }) => type === "step.output");
  const others = all.filter(({ type }) => type !== "step.output");
  const before = 3_001;
  const older = (events: Event[]) => events.filter(({ seq }) => seq < before);
  assert.deepEqual(await page(`before=${before}&limit=250&types=step.output`), older(outputs).slice(-250));
  const without = [...new Set(others.map(({ type }) => type))].join(",");
  assert.deepEqual(await page(`before=${before}&limit=50&types=${without}`), older(others).slice(-50));
  assert.deepEqual(await page(`before=${before}&types=${without}`), older(others));
  const both = "step.output,step.ended";
  const steps = all.filter(({ type }) => both.includes(type));
  assert.deepEqual(await page(`before=${before}&limit=300&types=${both}`), older(steps).slice(-300));
  assert.deepEqual(await page("after=100&limit=3"), all.slice(100, 103));
  assert.deepEqual(await page("limit=3"), all.slice(0, 3));
  assert.deepEqual(await page("after=100&before=104"), all.slice(100, 103));
  assert.deepEqual(await page("after=100&before=1000&limit=2"), all.slice(997, 999));
  assert.deepEqual(await page("after=997&before=1000&limit=9"), all.slice(997, 999));
  assert.deepEqual(await page("after=1000&before=1000"), []);
  assert.deepEqual(await page(`before=${EVENTS + 900}&limit=1`), all.slice(-1));
});

test("the output of some jobs is told among the events of all, and that of no other", async () => {
  const from = all[0]?.cursor ?? 1;
  const read = async (query: string) => {
    const answer = await orchestrator.fetch(`/events?follow=false&after=${from - 1}${query}`, {
      headers: { accept: "application/x-ndjson" },
    });
    const events = (await answer.text())
      .split("\n")
      .filter(Boolean)
      .map((line) => JSON.parse(line) as Event);
    return events.filter((event) => event.job_id === job_id);
  };
  const quiet = all.filter(({ type }) => type !== "step.output");
  assert.deepEqual(await read(`&output_of=${job_id}`), all);
  assert.deepEqual(
    await read(`&output_of=01900000-0000-7000-8000-000000000000,${job_id.toUpperCase()}`),
    all,
  );
  assert.deepEqual(await read("&output_of=01900000-0000-7000-8000-000000000000"), quiet);
  assert.deepEqual(
    await read(`&output_of=${job_id}&types=step.ended`),
    quiet.filter(({ type }) => type === "step.ended"),
  );
  assert.deepEqual(
    await read(`&output_of=${job_id}&types=step.output`),
    all.filter(({ type }) => type === "step.output"),
  );
});

test("what cannot be wanted together is refused", async () => {
  const path = `/jobs/${job_id}/events`;
  for (const query of [
    "before=9&follow=true",
    "limit=9&follow",
    "before=0",
    "limit=0",
    "limit=10001",
    "before=x",
  ])
    await refused(await orchestrator.fetch(`${path}?${query}`), 422, "invalid_request");
  for (const query of ["before=9", "limit=9", "output_of=x", `output_of=${`${job_id},`.repeat(65)}`])
    await refused(await orchestrator.fetch(`/events?${query}`), 422, "invalid_request");
});
