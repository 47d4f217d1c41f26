import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdir, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { Blobs } from "./blobs.ts";

test("a blob that cannot get its name leaves nothing unfinished behind", async () => {
  const folder = await mkdtemp(join(tmpdir(), "sealwork-test-"));
  try {
    const content = Buffer.from("a large piece of code");
    const sha256 = createHash("sha256").update(content).digest("hex");
    await mkdir(join(folder, sha256, "in its place"), { recursive: true });
    assert.equal(await new Blobs({ folder }).save(content), null);
    assert.deepEqual(await readdir(folder), [sha256]);
  } finally {
    await rm(folder, { recursive: true });
  }
});
