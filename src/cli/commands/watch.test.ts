import assert from "node:assert/strict";
import { test } from "node:test";
import { ENDED, output, STEP, world } from "../cli-world.fake.ts";
import { runFake } from "../io.fake.ts";

test("watch shows a job from its beginning as run does, and ends with its exit code", async (t) => {
  const { server, io } = await world(t);
  const job = server.job();
  server.emit(job.job_id, STEP, output("hi\n"), ENDED);
  server.emit(job.job_id, { type: "message.said", data: { from: "agent", text: "All done." } });
  server.end(job.job_id);
  const done = await runFake(io(), ["watch", "last"]);
  assert.equal(done.code(), 0);
  assert.match(done.out(), /1 shell echo hi\n {2}│ hi\n {2}✓ 1\.2 s\nagent: All done\.\n/);
  assert.match(done.out(), /✓ complete/);
  const json = await runFake(io(), ["watch", "last", "--json"]);
  const lines = json.out().trim().split("\n");
  assert.equal(JSON.parse(lines.at(-1) ?? "").job_id, job.job_id);
});

test("Ctrl-C leaves the job that is watched running", async (t) => {
  const { server, io } = await world(t);
  const job = server.job();
  server.emit(job.job_id, STEP);
  const watching = io();
  const running = runFake(watching, ["watch", "last"]);
  await watching.saw("echo hi");
  watching.interrupt();
  await running;
  assert.equal(watching.code(), 130);
  assert.equal(
    server.received.some(({ path }) => path.startsWith("/cancel")),
    false,
  );
});
