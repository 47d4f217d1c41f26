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
