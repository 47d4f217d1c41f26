import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import { DiskWatch } from "./disk.ts";

const MiB = 1024 * 1024;

/** A watch over an empty folder with a limit of 16 MiB, and how many times that was passed. */
async function watched(t: TestContext) {
  const folder = await mkdtemp(join(tmpdir(), "sealwork-disk-"));
  t.after(() => rm(folder, { recursive: true }));
  const over: number[] = [];
  const watch = new DiskWatch({ folder, limit_bytes: 16 * MiB, over: (used) => over.push(used) });
  t.after(() => watch[Symbol.asyncDispose]());
  while (watch.used_bytes === null) await nextTurn();
  const file = async (name: string, bytes: number): Promise<string> => {
    await writeFile(join(folder, name), Buffer.alloc(bytes, 1));
    return join(folder, name);
  };
  return { watch, over, file };
}

test("nobody is refused for what was removed since it was measured, nor let in over what was made since", async (t) => {
  const { watch, over, file } = await watched(t);
  const one = {};
  const large = await file("large", 12 * MiB);
  assert.equal(await watch.take(8 * MiB, one), true, "as far as it is known there is room");
  watch.give(one);
  assert.equal(await watch.take(20 * MiB, one), false);
  assert.equal(await watch.take(8 * MiB, one), false, "it was measured meanwhile");
  await rm(large);
  assert.equal(await watch.take(8 * MiB, one), true);
  assert.deepEqual(over, []);
});

test("who gives back takes nothing from others, also when it was measured by then", async (t) => {
  const { watch, file } = await watched(t);
  const [one, other] = [{}, {}];
  assert.equal(await watch.take(4 * MiB, one), true);
  await file("one", 4 * MiB);
  assert.equal(await watch.take(20 * MiB, one), false, "this measures");
  assert.equal(await watch.take(8 * MiB, other), true);
  await file("other", 8 * MiB);
  watch.give(one);
  assert.equal(await watch.take(4 * MiB, {}), false);
});

test("what is sent takes a job to its limit and not over it, whatever the job has written that nobody has measured", async (t) => {
  const { watch, over, file } = await watched(t);
  await file("unseen", 3 * MiB);
  const one = {};
  let sent = 0;
  while (await watch.take(MiB, one)) {
    await file(`sent-${sent}`, MiB);
    sent += 1;
  }
  assert.equal(sent, 12, "up to the last MiB, which is kept free");
  assert.deepEqual(over, []);
});
