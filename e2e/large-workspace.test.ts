import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { after, test } from "node:test";
import { script, TestOrchestrator } from "./harness.ts";
import { assertManifest, text, untilPhase } from "./job-checks.ts";

const MIB = 1024 * 1024;

const orchestrator = await TestOrchestrator.start();
after(() => orchestrator[Symbol.asyncDispose]());

test("names, modes, links and empty folders come back as they were; links that lead out do not", async () => {
  const job_id = await orchestrator.schedule({
    prompt: script(
      "mkdir -p 'grüße/日本語' empty/inner; echo hello > 'grüße/日本語/😀 file.txt'; echo '#!/bin/sh' > tool; chmod 755 tool; chmod 640 'grüße/日本語/😀 file.txt'",
      "ln -s tool inside; ln -s ../tool empty/up; ln -s 'grüße/日本語' folder; ln -s /etc/passwd absolute; ln -s ../../secret out; ln -s missing dangling; mkfifo pipe",
    ),
  });
  assert.equal((await orchestrator.ended(job_id)).status, "complete");
  const zip = await orchestrator.zip(job_id);
  assertManifest(zip);
  assert.equal(text(zip, "grüße/日本語/😀 file.txt"), "hello\n");
  assert.equal((zip.get("tool")?.mode ?? 0) & 0o777, 0o755);
  assert.equal((zip.get("grüße/日本語/😀 file.txt")?.mode ?? 0) & 0o777, 0o640);
  assert(zip.has("empty/inner/"), "empty folders are kept");
  const links = { inside: "tool", "empty/up": "../tool", folder: "grüße/日本語", dangling: "missing" };
  for (const [name, target] of Object.entries(links)) {
    assert.equal((zip.get(name)?.mode ?? 0) & 0o170000, 0o120000, `${name} is a symlink`);
    assert.equal(text(zip, name), target);
  }
  for (const name of ["absolute", "out", "pipe"]) assert(!zip.has(name), `${name} is left out`);
  assert.equal(JSON.parse(text(zip, ".sealwork/manifest.json")).left_out, 3);
});

test("a workspace is packed without its size in the orchestrator's memory", async () => {
  const size = 300 * MIB;
  const job_id = await orchestrator.schedule({
    prompt: script(`head -c ${size} /dev/urandom > large.bin; sha256sum large.bin`),
  });
  await untilPhase(orchestrator, job_id, "packing");
  const before = await memoryPeak();
  const job = await orchestrator.ended(job_id);
  assert.equal(job.status, "complete", JSON.stringify(job.reason));
  const grown = (await memoryPeak()) - before;
  assert(grown < size / 3, `the orchestrator grew by ${Math.round(grown / MIB)} MiB`);
  const [sum] = (await orchestrator.logs(job_id)).split(" ");
  const answer = await orchestrator.fetch(`/jobs/${job_id}/files/large.bin`);
  assert(answer.status === 200 && answer.body !== null);
  const hash = createHash("sha256");
  for await (const chunk of answer.body) hash.update(chunk);
  assert.equal(hash.digest("hex"), sum);
  const manifest = await orchestrator.fetch(`/jobs/${job_id}/files/.sealwork/manifest.json`);
  assert((await manifest.text()).includes(sum ?? "no sum"), "the manifest has the hash of the file");
});

/** The most memory that the orchestrator has had, in bytes. */
async function memoryPeak(): Promise<number> {
  const status = await readFile(`/proc/${orchestrator.pid}/status`, "utf8");
  return Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1]) * 1024;
}
