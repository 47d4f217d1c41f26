import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { changeOf, pathToTell } from "./file-change.ts";

let home: string;
before(async () => {
  home = await mkdtemp(join(tmpdir(), "sealwork-test-"));
  await mkdir(join(home, "workspace"));
  await writeFile(join(home, "once.txt"), "a\nnew\nb\n");
  await writeFile(join(home, "twice.txt"), "new\nnew\n");
  await symlink("/etc/hostname", join(home, "link"));
});
after(() => rm(home, { recursive: true, force: true }));

test("a change of a part becomes one of the whole file where the part is found once", async () => {
  const change = (name: string, before: string | null, after: string) =>
    changeOf({ path: join(home, name), before, after }, home);
  assert.deepEqual(await change("once.txt", "old", "new"), { before: "a\nold\nb\n", after: "a\nnew\nb\n" });
  assert.deepEqual(await change("twice.txt", "old", "new"), { before: "old", after: "new" });
  assert.deepEqual(await change("once.txt", null, "a\nnew\nb\n"), { before: null, after: "a\nnew\nb\n" });
  assert.deepEqual(await change("gone.txt", "old", ""), { before: "old", after: null });
});

test("nothing outside home is looked at", async () => {
  const diff = { path: "/etc/hostname", before: "x", after: "y" };
  assert.deepEqual(await changeOf(diff, home), { before: "x", after: "y" });
  assert.deepEqual(await changeOf({ ...diff, path: join(home, "link") }, home), { before: "x", after: "y" });
});

test("paths are told relative to the workspace, absolute beyond it", () => {
  const place = { workspace: "/home/agent/workspace" };
  assert.equal(pathToTell("/home/agent/workspace/a/b", place), "a/b");
  assert.equal(pathToTell("a/b", place), "a/b");
  assert.equal(pathToTell("/home/agent/.profile", place), "/home/agent/.profile");
  assert.equal(pathToTell("../x", place), "/home/agent/x");
});
