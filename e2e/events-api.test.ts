import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Event } from "../src/contract/event.ts";
import { refused } from "./answers.ts";
import { script, TestOrchestrator } from "./harness.ts";

let orchestrator: TestOrchestrator;
before(async () => {
  orchestrator = await TestOrchestrator.start();
});
after(async () => {
  await orchestrator[Symbol.asyncDispose]();
});

/** The ids and events of a stream of Server-Sent Events that ends. */
async function sse(path: string, headers: Record<string, string> = {}) {
  const answer = await orchestrator.fetch(path, { headers: { accept: "text/event-stream", ...headers } });
  assert.match(answer.headers.get("content-type") ?? "", /^text\/event-stream/);
  return Array.from((await answer.text()).matchAll(/^id: (\d+)\nevent: (\S+)\ndata: (.*)\n\n/gm), (match) => {
    const event = JSON.parse(match[3] ?? "") as Event;
    assert.equal(event.type, match[2]);
    return { id: Number(match[1]), event };
  });
}

test("events come as SSE and NDJSON, after a number, by type, and across a restart of the orchestrator", async () => {
  const job_id = await orchestrator.schedule({ prompt: script("echo out; echo err >&2", "echo two") });
  await orchestrator.ended(job_id);
  const all = await orchestrator.allEvents(job_id);
  const path = `/jobs/${job_id}/events`;
  assert.deepEqual(
    (await sse(path)).map(({ event }) => event),
    all,
    "it ends after job.ended by itself",
  );
  const ids = (found: { id: number }[]) => found.map(({ id }) => id);
  const rest = all.slice(3).map(({ seq }) => seq);
  assert.deepEqual(ids(await sse(path, { "last-event-id": "3" })), rest);
  assert.deepEqual(ids(await sse(`${path}?after=3`, { "last-event-id": "1" })), rest);
  const steps = await sse(`${path}?types=step.started,step.ended`);
  assert.deepEqual(
    steps.map(({ event }) => event.type),
    ["step.started", "step.ended", "step.started", "step.ended"],
  );
  assert.equal(await orchestrator.logs(job_id, "?stream=stderr"), "err\n");
  assert.equal(await orchestrator.logs(job_id, "?step=2"), "two\n");

  const quiet = all.filter(({ type }) => type !== "step.output").map(({ cursor }) => cursor);
  assert.deepEqual(ids(await sse("/events?follow=false")), [], "without a cursor it starts now");
  const now = (await orchestrator.fetch("/events?follow=false")).headers.get("x-sealwork-cursor");
  assert.equal(now, String(quiet.at(-1)), "and says when that is");
  assert.deepEqual(ids(await sse("/events?follow=false&after=0")), quiet);
  await orchestrator.stop();
  await orchestrator.restart();
  assert.deepEqual(ids(await sse(`/events?follow=false&after=${quiet[2]}`)), quiet.slice(3));
});

test("a download is refused before the end, and then takes ranges and knows its tag", async () => {
  const job_id = await orchestrator.schedule({ prompt: script("echo up; sleep 600") });
  await orchestrator.untilPrinted(job_id, "up");
  const path = `/download/${job_id}`;
  const early = await orchestrator.fetch(path);
  assert(Number(early.headers.get("retry-after")) > 0);
  await refused(early, 404, "not_ended");
  await orchestrator.cancel(job_id);
  await orchestrator.ended(job_id);
  const whole = await orchestrator.fetch(path);
  const bytes = Buffer.from(await whole.arrayBuffer());
  const etag = whole.headers.get("etag") ?? "";
  const part = await orchestrator.fetch(path, { headers: { range: "bytes=10-19" } });
  assert.equal(part.status, 206);
  assert.deepEqual(Buffer.from(await part.arrayBuffer()), bytes.subarray(10, 20));
  const known = await orchestrator.fetch(path, { headers: { "if-none-match": etag } });
  assert.equal(known.status, 304);
  const beyond = await orchestrator.fetch(path, { headers: { range: `bytes=${bytes.length}-` } });
  await refused(beyond, 416, "range_not_satisfiable");
});
