import assert from "node:assert/strict";
import { mkdtemp, readdir, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { RollingFile } from "./rolling-file.ts";

test("an output of any length takes bounded room, and its end can be read from any place on", async () => {
  const folder = await mkdtemp(join(tmpdir(), "sealwork-test-"));
  try {
    const file = new RollingFile({ path: join(folder, "f"), part_max_bytes: 1000 });
    let whole = "";
    for (let n = 0; n < 500; n++) {
      await file.append(Buffer.from(`${n}\n`));
      whole += `${n}\n`;
      const { begin, content } = await file.read(whole.length - 300, 200);
      assert.equal(content.toString(), whole.slice(-200));
      assert.equal(begin, Math.max(0, whole.length - 200));
    }
    const all = await file.read(0, 1_000_000);
    assert.equal(all.content.toString(), whole.slice(all.begin));
    assert.ok(all.content.length >= 900 && all.content.length <= 2010, `${all.content.length}`);
    const names = await readdir(folder);
    const sizes = await Promise.all(names.map(async (name) => (await stat(join(folder, name))).size));
    assert.ok(sizes.reduce((sum, size) => sum + size, 0) <= 2010);
    await file.remove();
    assert.deepEqual(await readdir(folder), []);
  } finally {
    await rm(folder, { recursive: true });
  }
});
