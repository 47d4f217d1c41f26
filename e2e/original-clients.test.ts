import assert from "node:assert/strict";
import { request } from "node:http";
import { after, before, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { CancelAnswer, JobsAnswer, RootAnswer, ScheduleAnswer } from "../src/contract/api.ts";
import { Job } from "../src/contract/job.ts";
import { answered } from "./answers.ts";
import { PATIENCE_MS, readZip, script, TestOrchestrator } from "./harness.ts";

let orchestrator: TestOrchestrator;
before(async () => {
  orchestrator = await TestOrchestrator.start({ args: ["--no-auth"] });
});
after(async () => {
  await orchestrator[Symbol.asyncDispose]();
});

const get = (path: string) => fetch(`${orchestrator.url}${path}`);
const post = (path: string) => fetch(`${orchestrator.url}${path}`, { method: "POST" });

async function schedule(prompt: string): Promise<string> {
  const headers = { "content-type": "application/json" };
  const init = { method: "POST", headers, body: JSON.stringify({ prompt }) };
  return (await answered(ScheduleAnswer, await fetch(`${orchestrator.url}/schedule`, init))).job_id;
}

test("a client that knows only the original's names schedules, polls, reads and downloads", async () => {
  const { message } = await answered(RootAnswer, await get("/"));
  assert.notEqual(message, "");
  const job_id = await schedule(script("echo hello; echo content > out.txt"));
  // Polling is what such a client does.
  const deadline = Date.now() + PATIENCE_MS;
  let job = await answered(Job, await get(`/status/${job_id}`));
  while (job.status !== "complete") {
    assert(["pending", "running"].includes(job.status) && Date.now() < deadline, JSON.stringify(job));
    await pause(50);
    job = await answered(Job, await get(`/status/${job_id}`));
  }
  assert.deepEqual(await answered(Job, await get(`/job/${job_id}`)), job);
  assert.deepEqual((await answered(JobsAnswer, await get("/jobs"))).jobs, [job]);
  assert.equal(await (await get(`/logs/${job_id}`)).text(), "hello\n");
  const zip = await get(`/download/${job_id}`);
  assert.equal(zip.status, 200);
  const files = await readZip(Buffer.from(await zip.arrayBuffer()));
  assert.equal(files.get("out.txt")?.content.toString(), "content\n");
});

test("a download before the end is a 404, and a cancelled job has its ZIP", async () => {
  const job_id = await schedule(script("echo up; sleep 600"));
  await orchestrator.untilPrinted(job_id, "up");
  const early = await get(`/download/${job_id}`);
  await early.body?.cancel();
  assert.equal(early.status, 404);
  assert.equal((await answered(CancelAnswer, await post(`/cancel/${job_id}`))).cancelled, true);
  assert.equal((await orchestrator.ended(job_id)).status, "cancelled");
  const zip = await get(`/download/${job_id}`);
  await zip.body?.cancel();
  assert.equal(zip.status, 200);
});

test("foreign Host and Origin headers are refused even without sign-in", async () => {
  const status = async (headers: Record<string, string>) => {
    const { promise, resolve, reject } = Promise.withResolvers<number>();
    request(`${orchestrator.url}/jobs`, { headers }, (answer) => {
      answer.resume();
      resolve(answer.statusCode ?? 0);
    })
      .on("error", reject)
      .end();
    return promise;
  };
  const host = new URL(orchestrator.url).host;
  assert.equal(await status({ host }), 200);
  assert.equal(await status({ host, origin: orchestrator.url }), 200);
  for (const headers of [
    { host: "evil.example" },
    { host: "127.0.0.1.evil.example" },
    { host, origin: "http://evil.example" },
    { host, origin: "null" },
    { host, origin: "http://x.localhost:1" },
  ])
    assert.equal(await status(headers), 403, JSON.stringify(headers));
});
