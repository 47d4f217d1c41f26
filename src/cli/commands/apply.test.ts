import assert from "node:assert/strict";
import { readdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { world, zipOf } from "../cli-world.fake.ts";
import { runFake } from "../io.fake.ts";

test("apply fetches the job's ZIP, merges it and prints what changed", async (t) => {
  const { server, cwd, io } = await world(t);
  const oid = "587be6b4c3f93f93c489c0111bba5596147a26cb";
  const patch = `diff --git a/new.txt b/new.txt\nnew file mode 100644\nindex ${"0".repeat(40)}..${oid}\n--- /dev/null\n+++ b/new.txt\n@@ -0,0 +1 @@\n+x\n`;
  const job = server.job({ patch: true });
  server.end(job.job_id, {}, await zipOf({ "new.txt": "x\n", ".sealwork/changes.patch": patch }));
  const done = await runFake(io(), ["apply", "last"]);
  assert.equal(done.err(), "");
  assert.equal(done.code(), 0);
  assert.equal(done.out(), "A new.txt\n1 file changed.\n");
  assert.equal(await readFile(path.join(cwd, "new.txt"), "utf8"), "x\n");
  await writeFile(path.join(cwd, "new.txt"), "mine\n");
  const conflict = await runFake(io(), ["apply", "last"]);
  assert.equal(conflict.code(), 1);
  assert.match(conflict.out(), /C new.txt\n1 conflict, so nothing was written/);
  assert.deepEqual(await readdir(cwd), ["new.txt"]);
  const without = server.job({ patch: false });
  const refused = await runFake(io(), ["apply", without.job_id]);
  assert.equal(refused.code(), 2);
});
