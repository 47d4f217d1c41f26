import assert from "node:assert/strict";
import { once } from "node:events";
import net from "node:net";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import type { EventBody } from "../contract/event.ts";
import { CURSOR_HEADER } from "../contract/event-cursor.ts";
import { raw, startServer } from "./test-server.fake.ts";

const output = (data: string): EventBody => ({
  type: "step.output",
  data: { step: 1, stream: "stdout", encoding: "utf8", data },
});
const ended: EventBody = { type: "job.ended", data: { status: "complete", reason: null, summary: "" } };
const started: EventBody = { type: "job.started", data: {} };

test("the events of a job come as SSE with seq as id, live, and end after job.ended", async () => {
  await using server = await startServer();
  const { job_id } = server.orchestrator.add();
  server.orchestrator.emit(job_id, started);
  const answer = await fetch(`${server.url}/jobs/${job_id}/events`);
  assert.match(answer.headers.get("content-type") ?? "", /text\/event-stream/);
  server.orchestrator.emit(job_id, output("line\nbreak"));
  server.orchestrator.emit(job_id, ended);
  const blocks = (await answer.text()).split("\n\n").filter((block) => block.startsWith("id:"));
  assert.deepEqual(
    blocks.map((block) => block.split("\n").slice(0, 2)),
    [
      ["id: 1", "event: job.started"],
      ["id: 2", "event: step.output"],
      ["id: 3", "event: job.ended"],
    ],
  );
  for (const block of blocks) assert.ok(JSON.parse(block.split("\n")[2]?.replace("data: ", "") ?? ""));
});

test("after, Last-Event-ID (the query wins), types, follow=false and NDJSON", async () => {
  await using server = await startServer();
  const { job_id } = server.orchestrator.add();
  for (const body of [started, output("a"), output("b"), started]) server.orchestrator.emit(job_id, body);
  const seqs = async (query: string, headers: Record<string, string> = {}) => {
    const url = `${server.url}/jobs/${job_id}/events?follow=false&${query}`;
    const answer = await fetch(url, { headers: { accept: "application/x-ndjson", ...headers } });
    const lines = (await answer.text()).split("\n").filter((line) => line !== "");
    return lines.map((line) => (JSON.parse(line) as { seq: number }).seq);
  };
  assert.deepEqual(await seqs(""), [1, 2, 3, 4]);
  assert.deepEqual(await seqs("after=2"), [3, 4]);
  assert.deepEqual(await seqs("", { "last-event-id": "3" }), [4]);
  assert.deepEqual(await seqs("after=1", { "last-event-id": "3" }), [2, 3, 4]);
  assert.deepEqual(await seqs("types=step.output"), [2, 3]);
});

test("a silent stream says that it lives, and sends its headers before any event", async () => {
  await using server = await startServer({ heartbeat_ms: 5 });
  const gone = new AbortController();
  const answer = await fetch(`${server.url}/events`, { signal: gone.signal });
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of answer.body ?? []) {
    text += decoder.decode(chunk);
    if (text.includes(": still here")) break;
  }
  assert.match(text, /^: connected/);
  gone.abort();
});

test("a stream of all events says where it begins, which is never after the last one", async () => {
  await using server = await startServer();
  const { job_id } = server.orchestrator.add();
  server.orchestrator.emit(job_id, started);
  const begins = async (query: string) =>
    (await fetch(`${server.url}/events?follow=false&${query}`)).headers.get(CURSOR_HEADER);
  const last = await server.orchestrator.lastCursor();
  assert.deepEqual(
    [await begins(""), await begins("after=0"), await begins("after=1000")],
    [`${last}`, "0", `${last}`],
  );
});

test("a client that goes away ends its iteration, and too many streams are 429", async () => {
  await using server = await startServer({ streams_max: 1 });
  const gone = new AbortController();
  await fetch(`${server.url}/events`, { signal: gone.signal });
  const refused = await fetch(`${server.url}/events`);
  assert.deepEqual([refused.status, refused.headers.get("retry-after")], [429, "2"]);
  await refused.body?.cancel();
  gone.abort();
  while (server.orchestrator.readers > 0) await turn();
  const again = new AbortController();
  assert.equal((await fetch(`${server.url}/events`, { signal: again.signal })).status, 200);
  again.abort();
});

test("a reader that reads nothing holds up neither memory nor other readers", async () => {
  await using server = await startServer();
  const { job_id } = server.orchestrator.add();
  const count = 4_000;
  for (let n = 0; n < count; n += 1) server.orchestrator.emit(job_id, output("x".repeat(8_000)));
  server.orchestrator.emit(job_id, ended);
  const slow = net.connect(server.port, "127.0.0.1");
  slow.write(`GET /jobs/${job_id}/events HTTP/1.1\r\nHost: localhost\r\n\r\n`);
  await once(slow, "readable");
  const before = server.orchestrator.read;
  const fast = await (await fetch(`${server.url}/jobs/${job_id}/logs`)).arrayBuffer();
  assert.equal(fast.byteLength, count * 8_000);
  // The system's socket buffers take a few megabytes; of 32 the slow reader must not have caused more to be read.
  const by_slow = server.orchestrator.read - count;
  assert.ok(
    by_slow < count / 2,
    `${by_slow} events were read for a client that reads nothing (${before} at first)`,
  );
  slow.destroy();
  while (server.orchestrator.readers > 0) await turn();
});

test("logs are the bytes that the steps wrote, under both names", async () => {
  await using server = await startServer();
  const { job_id } = server.orchestrator.add();
  const bytes = Buffer.from([0xff, 0x00, 0x0a]);
  server.orchestrator.emit(job_id, {
    type: "step.output",
    data: { step: 1, stream: "stderr", encoding: "base64", data: bytes.toString("base64") },
  });
  for (const path of [`/jobs/${job_id}/logs`, `/logs/${job_id}`]) {
    const answer = await fetch(`${server.url}${path}`);
    assert.match(answer.headers.get("content-type") ?? "", /^text\/plain/);
    assert.deepEqual(Buffer.from(await answer.arrayBuffer()), bytes);
  }
});

test("closing the server ends its streams", async () => {
  const server = await startServer();
  const answer = await fetch(`${server.url}/events`);
  await server[Symbol.asyncDispose]();
  await assert.rejects(answer.text());
  assert.equal(server.orchestrator.readers, 0);
});

test("HEAD of a stream is not offered", async () => {
  await using server = await startServer();
  const text = await raw(
    server.port,
    "HEAD /events HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
  );
  assert.match(text, /^HTTP\/1.1 405/);
});
