import assert from "node:assert/strict";
import { access } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { refused } from "./answers.ts";
import { PATIENCE_MS, script, TestOrchestrator } from "./harness.ts";

test("a job older than the configured age goes with its events, blobs and files, and is then a 410", async () => {
  await using orchestrator = await TestOrchestrator.start({
    config: { retention: { max_age_s: 2, interval_s: 1 } },
  });
  const job_id = await orchestrator.schedule({
    prompt: script(`# ${"x".repeat(20_000)}\necho hello > a.txt`),
  });
  const ended = await orchestrator.ended(job_id);
  assert.equal(ended.status, "complete");
  const folder = join(orchestrator.data, "jobs", job_id);
  await access(folder);
  const deadline = Date.now() + PATIENCE_MS;
  // Removal is no event of the job, so there is nothing to wait for but the answer.
  while ((await orchestrator.fetch(`/status/${job_id}`)).status === 200) {
    assert(Date.now() < deadline);
    await pause(100);
  }
  for (const path of [
    "download/ID",
    "status/ID",
    "jobs/ID/events",
    "jobs/ID/logs",
    "jobs/ID/files",
    "jobs/ID/changes",
  ])
    await refused(await orchestrator.fetch(`/${path.replace("ID", job_id)}`), 410, "expired");
  await refused(await orchestrator.fetch(`/jobs/${job_id}/blobs/${"0".repeat(64)}`), 410, "expired");
  await assert.rejects(access(folder), { code: "ENOENT" });
  assert.deepEqual(await orchestrator.jobs(), []);
  assert.deepEqual(await orchestrator.containers(job_id), []);
  assert.deepEqual(await orchestrator.volumes(job_id), []);
});
