import assert from "node:assert/strict";
import { lstat, mkdir, mkdtemp, readdir, readFile, readlink, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { type TestContext, test } from "node:test";
import { type Header, pack } from "tar-stream";
import { AppError } from "../contract/errors.ts";
import { Copied } from "./copied.ts";
import { tarOfFile, tarOfFolder } from "./folder-tar.ts";
import { extractTar } from "./tar-extract.ts";

const never = new AbortController().signal;
type TestEntry = Partial<Header> & { name: string; content?: string };

async function place(t: TestContext): Promise<{ parent: string; folder: string }> {
  const parent = await mkdtemp(join(tmpdir(), "sealwork-cp-"));
  t.after(() => rm(parent, { recursive: true }));
  const folder = join(parent, "target");
  await mkdir(folder);
  await mkdir(join(parent, "outside"));
  return { parent, folder };
}

function tarOf(entries: TestEntry[]): Readable {
  const tar = pack();
  for (const { content, ...header } of entries) tar.entry(header, content ?? "");
  tar.finalize();
  return Readable.from(tar, { objectMode: false });
}

async function extractInto(folder: string, entries: TestEntry[]): Promise<Copied> {
  const copied = new Copied(() => undefined);
  await extractTar(tarOf(entries), folder, { copied, signal: never });
  return copied;
}

test("what a hostile tar has outside of its folder is left out and told, and nothing is written there", async (t) => {
  const { parent, folder } = await place(t);
  const copied = await extractInto(folder, [
    { name: "../evil", content: "x" },
    { name: `${parent}/outside/absolute`, content: "x" },
    { name: "a/../../evil", content: "x" },
    { name: "a/./b", content: "x" },
    { name: "out", type: "symlink", linkname: join(parent, "outside") },
    { name: "up", type: "symlink", linkname: "../outside" },
    { name: "hard", type: "link", linkname: "/etc/passwd" },
    { name: "device", type: "character-device" },
    { name: "fifo", type: "fifo" },
    { name: "good", content: "good" },
  ]);
  assert.deepEqual((await readdir(parent, { recursive: true })).sort(), ["outside", "target", "target/good"]);
  assert.deepEqual([copied.files, copied.left_out, copied.size_bytes], [1, 9, 4]);
  assert.match(copied.notes.join("\n"), /left out \.\.\/evil: a name that leads out of the folder/);
});

test("nothing is written through a symlink, whether it came in the tar or was there before", async (t) => {
  const { parent, folder } = await place(t);
  await symlink(join(parent, "outside"), join(folder, "before"));
  const conflict = (error: unknown) => error instanceof AppError && error.code === "conflict";
  await assert.rejects(extractInto(folder, [{ name: "before/x", content: "x" }]), conflict);
  // A link is made when all files are there, so that it is in nobody's way before.
  await assert.rejects(
    extractInto(folder, [
      { name: "sub", type: "symlink", linkname: "elsewhere" },
      { name: "sub/x", content: "x" },
    ]),
    conflict,
  );
  await symlink(join(parent, "outside", "file"), join(folder, "file"));
  await extractInto(folder, [{ name: "file", content: "mine" }]);
  assert.ok((await lstat(join(folder, "file"))).isFile());
  assert.deepEqual(await readdir(join(parent, "outside")), []);
});

test("symlinks that lead out of the folder only one after the other are left out", async (t) => {
  const { folder } = await place(t);
  const copied = await extractInto(folder, [
    { name: "a/b/top", type: "symlink", linkname: "../.." },
    { name: "out", type: "symlink", linkname: "a/b/top/../../outside" },
    { name: "a/side", type: "symlink", linkname: ".././a/b" },
  ]);
  assert.deepEqual([copied.files, copied.left_out], [2, 1]);
  assert.match(copied.notes.join(), /left out out: a link that leaves the folder/);
});

test("what is there is replaced whole, and a folder is never replaced by a file", async (t) => {
  const { folder } = await place(t);
  await writeFile(join(folder, "a"), "old");
  await mkdir(join(folder, "d"));
  await extractInto(folder, [{ name: "a", content: "new" }]);
  assert.equal(await readFile(join(folder, "a"), "utf8"), "new");
  await assert.rejects(extractInto(folder, [{ name: "d", content: "x" }]), /In the place of d/);
  assert.deepEqual((await readdir(folder)).sort(), ["a", "d"]);
});

test("a tar that breaks off leaves no part of a file", async (t) => {
  const { folder } = await place(t);
  const whole = Buffer.concat(await tarOf([{ name: "a", content: "x".repeat(100_000) }]).toArray());
  const copied = new Copied(() => undefined);
  async function* cut(): AsyncGenerator<Buffer> {
    yield whole.subarray(0, 50_000);
    throw new Error("cut");
  }
  await assert.rejects(extractTar(cut(), folder, { copied, signal: never }));
  assert.deepEqual(await readdir(folder), []);
});

test("Ctrl-C in the middle ends it with what Ctrl-C means", async (t) => {
  const { folder } = await place(t);
  const stop = new AbortController();
  const reason = new Error("Interrupted.");
  async function* stopped(): AsyncGenerator<Uint8Array> {
    for await (const chunk of tarOf([{ name: "one", content: "x".repeat(10_000) }])) {
      yield chunk.subarray(0, 600);
      stop.abort(reason);
    }
  }
  const copied = new Copied(() => undefined);
  const extracting = extractTar(stopped(), folder, { copied, signal: stop.signal });
  await assert.rejects(extracting, (error) => error === reason);
  assert.deepEqual(await readdir(folder), []);
});

test("a folder of this machine comes back as it was: names, symlinks, executable bits, times, empty folders", async (t) => {
  const { parent, folder } = await place(t);
  const from = join(parent, "outside");
  await mkdir(join(from, "täglich/empty"), { recursive: true });
  await writeFile(join(from, "täglich/line\nfeed 📦"), "x".repeat(700_000));
  await writeFile(join(from, "run.sh"), "#!/bin/sh\n", { mode: 0o755 });
  await symlink("run.sh", join(from, "link"));
  await mkdir(join(from, ".sealwork"));
  const sent = new Copied(() => undefined);
  const copied = new Copied(() => undefined);
  await extractTar(tarOfFolder(from, "below", { skipped: "below/.sealwork", copied: sent }), folder, {
    copied,
    signal: never,
  });
  assert.deepEqual((await readdir(folder, { recursive: true })).sort(), [
    "below",
    "below/link",
    "below/run.sh",
    "below/täglich",
    "below/täglich/empty",
    "below/täglich/line\nfeed 📦",
  ]);
  assert.equal(await readlink(join(folder, "below/link")), "run.sh");
  const [was, is] = [await lstat(join(from, "run.sh")), await lstat(join(folder, "below/run.sh"))];
  assert.equal(is.mode & 0o111, 0o111);
  assert.equal(Math.floor(is.mtimeMs / 1000), Math.floor(was.mtimeMs / 1000));
  assert.deepEqual([sent.files, sent.left_out, copied.files], [3, 1, 3]);
  await extractTar(tarOfFile(join(from, "run.sh"), "one", sent), folder, { copied, signal: never });
  assert.equal(await readFile(join(folder, "one"), "utf8"), "#!/bin/sh\n");
});
