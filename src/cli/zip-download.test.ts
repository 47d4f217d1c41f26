import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { FakeServer } from "./fake-server.fake.ts";

const run = promisify(execFile);

test("a ZIP that the disk takes only a part of is an error, and nothing of it stays", async () => {
  await using server = await FakeServer.start();
  const job = server.job();
  server.end(job.job_id, {}, Buffer.alloc(3000, "z"));
  const out = await mkdtemp(join(tmpdir(), "sealwork-test-"));
  try {
    const script = `
      import { Client } from ${JSON.stringify(import.meta.resolve("./client.ts"))};
      import { saveZip } from ${JSON.stringify(import.meta.resolve("./zip-download.ts"))};
      const client = new Client({ endpoint: { url: ${JSON.stringify(server.url)}, token: null }, relocate: null });
      const saving = saveZip(client, "${job.job_id}", { out: ${JSON.stringify(out)}, name: "a.zip" }, new AbortController().signal);
      console.log(await saving.then(() => "saved", (error) => error.code));`;
    // A file of at most one kilobyte: the kernel takes the first part of a write and refuses the rest, as on a full disk.
    const limited = 'ulimit -f 1; exec "$0" --input-type=module-typescript -e "$1"';
    const { stdout } = await run("bash", ["-c", limited, process.execPath, script]);
    assert.equal(stdout.trim(), "EFBIG");
    assert.deepEqual(await readdir(out), []);
  } finally {
    await rm(out, { recursive: true });
  }
});
