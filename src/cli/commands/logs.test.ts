import assert from "node:assert/strict";
import { test } from "node:test";
import { output, world } from "../cli-world.fake.ts";
import { runFake } from "../io.fake.ts";

test("logs gives exactly the bytes that were written, and on a terminal none that it obeys", async (t) => {
  const { server, io } = await world(t);
  const job = server.job();
  server.emit(job.job_id, output("a\x1b[2Jb\r\nc\x1b[31mred\n\u202e"));
  server.end(job.job_id);
  const raw = await runFake(io(), ["logs", "last"]);
  assert.equal(raw.out(), "a\x1b[2Jb\r\nc\x1b[31mred\n\u202e");
  const shown = await runFake(io({ terminal: true }), ["logs", "-f", "last"]);
  assert.equal(shown.out(), "ab\nc\x1b[31mred\x1b[0m\n\x1b[31m<U+202E>\x1b[0m\n");
  const plain = await runFake(io({ terminal: true, env: { NO_COLOR: "1" } }), ["logs", "last"]);
  assert.equal(plain.out(), "ab\ncred\n<U+202E>\n");
});

test("who follows a log on a terminal is told on stderr when the job waits for somebody, and the log stays as it is", async (t) => {
  const { server, io } = await world(t);
  const job = server.job({ phase: "waiting", agent: "native" });
  server.ask(job.job_id, 1, "answered before");
  server.decide(job.job_id, 1, "allow");
  server.emit(job.job_id, output("one\n"));
  server.ask(job.job_id, 2, "npm install");
  const waiting = { type: "agent.waiting" as const, data: { summary: "Done.", linger_s: 600 } };
  server.emit(job.job_id, waiting);
  server.intercept = ({ path: asked }, answer) => {
    if (!asked.includes("/logs")) return false;
    answer.write("one\n");
    return true;
  };
  const following = io({ terminal: true, columns: 60 });
  const running = runFake(following, ["logs", "-f", "last"]);
  await following.complained("for a follow-up");
  following.interrupt();
  await running;
  assert.equal(following.out(), "one\n");
  const told = following.err().replaceAll(/\x1b\[\d+m/g, "");
  assert.match(
    told,
    /^\? Question 2 \(step\): npm install\n {2}│ the whole of npm install\n {2}→ sealwork approve a1b2c3d4 2, or with --deny\n/,
  );
  assert.match(told, /The job stays open 10 m for a follow-up: sealwork send a1b2c3d4 "…"\. Then/);
  assert.doesNotMatch(told, /answered before/);
});
