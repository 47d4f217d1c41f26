import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { after, test } from "node:test";
import { OUTPUT_MAX_BYTES } from "../src/contract/event-bounds.ts";
import { script, TestOrchestrator } from "./harness.ts";
import { assertWhole, text } from "./job-checks.ts";

const orchestrator = await TestOrchestrator.start();
after(() => orchestrator[Symbol.asyncDispose]());

async function bytes(path: string): Promise<Buffer> {
  const answer = await orchestrator.fetch(path);
  assert.equal(answer.status, 200);
  return Buffer.from(await answer.arrayBuffer());
}

test("of a flood the first 64 MiB are kept, that is said once, the job goes on, and slow readers delay nobody", async () => {
  // Seven digits and a line end: what is kept can be told from what is dropped by its numbers.
  const flood = "seq -w 1000000 1 14999999";
  const job_id = await orchestrator.schedule({
    prompt: script(flood, "echo later; echo after > after.txt"),
  });
  const slow = await Promise.all(
    ["text/event-stream", "application/x-ndjson"].map((accept) =>
      orchestrator.fetch(`/jobs/${job_id}/events`, { headers: { accept } }),
    ),
  );
  // One piece each, and then nothing more is read until the job has ended.
  const readers = slow.map(({ body }) => {
    assert(body !== null);
    return body.getReader();
  });
  for (const reader of readers) await reader.read();

  const job = await orchestrator.ended(job_id);
  assert.equal(job.status, "complete", JSON.stringify(job.reason));
  assert.equal(job.usage.output_bytes, OUTPUT_MAX_BYTES);
  const logs = await bytes(`/jobs/${job_id}/logs`);
  assert.equal(logs.length, OUTPUT_MAX_BYTES);
  for (let index = 0; index * 9 + 9 <= logs.length; index += 100_003) {
    const line = logs.subarray(index * 9, index * 9 + 9).toString();
    assert.equal(line, `${String(1_000_000 + index).padStart(8, "0")}\n`);
  }
  const limits = await Array.fromAsync(orchestrator.events(job_id, "?types=limit.reached"));
  assert.equal(limits.length, 1);
  assert(limits[0]?.type === "limit.reached" && limits[0].data.limit === "output");
  const zip = await orchestrator.zip(job_id);
  assert.equal(text(zip, "after.txt"), "after\n", "the job went on");

  for (const reader of readers) await reader.cancel();
});

test("logs are exactly the bytes of both streams, whatever they are", async () => {
  const code = [
    "```python",
    "import hashlib, os, sys, time",
    "out, err = hashlib.sha256(), hashlib.sha256()",
    "def write(fd, sum, data):",
    "    sum.update(data)",
    "    while data: data = data[os.write(fd, data):]",
    "for part in [b'\\xe2', b'\\x82', b'\\xac', b'\\xf0\\x9f', b'\\x98\\x80', b'\\xff\\x00\\xfe', b'no line end']:",
    "    write(1, out, part); time.sleep(0.05)",
    "    write(2, err, part[::-1]); time.sleep(0.05)",
    "for size in (1, 8191, 8192, 8193, 65536, 1 << 20):",
    "    write(1, out, os.urandom(size)); write(2, err, ('é€😀' * size).encode()[:size])",
    "write(1, out, b'\\xe2\\x82')",
    "open('sums.txt', 'w').write(out.hexdigest() + ' ' + err.hexdigest())",
    "```",
  ].join("\n");
  const job_id = await orchestrator.schedule({ prompt: code });
  assert.equal((await orchestrator.ended(job_id)).status, "complete");
  assertWhole(await orchestrator.allEvents(job_id));
  const [out, err] = await Promise.all(
    ["stdout", "stderr"].map(async (stream) =>
      createHash("sha256")
        .update(await bytes(`/jobs/${job_id}/logs?stream=${stream}`))
        .digest("hex"),
    ),
  );
  assert.equal(`${out} ${err}`, text(await orchestrator.zip(job_id), "sums.txt"));
});
