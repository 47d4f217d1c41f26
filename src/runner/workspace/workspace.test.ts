import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import {
  chmod,
  lstat,
  mkdir,
  mkdtemp,
  readFile,
  readlink,
  rm,
  symlink,
  truncate,
  utimes,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { buffer, text } from "node:stream/consumers";
import { test } from "node:test";
import { promisify } from "node:util";
import { extract, pack } from "tar-stream";
import { AppError } from "../../contract/errors.ts";
import { packWorkspace } from "./pack.ts";
import { unpackInto } from "./unpack.ts";

const never = () => new AbortController().signal;
const hasCode = (code: string) => (error: unknown) => error instanceof AppError && error.code === code;

async function folder(): Promise<AsyncDisposable & { path: string }> {
  const path = await mkdtemp(join(tmpdir(), "sealwork-test-"));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

async function entriesOf(tar: Buffer) {
  const entries: { name: string; type: string; content: string }[] = [];
  const extraction = extract();
  Readable.from([tar]).pipe(extraction as unknown as NodeJS.WritableStream);
  for await (const entry of extraction) {
    const content = await text(entry as unknown as AsyncIterable<Buffer>);
    entries.push({ name: entry.header.name, type: entry.header.type, content });
  }
  return entries;
}

test("what is packed comes back by unpacking: content, modes, times, symlinks, long and foreign names", async () => {
  await using from = await folder();
  await using to = await folder();
  const deep = join("ä".repeat(60), "b".repeat(200));
  await mkdir(join(from.path, deep), { recursive: true });
  await mkdir(join(from.path, "empty"));
  await writeFile(join(from.path, deep, "run.sh"), "#!/bin/sh\n");
  await chmod(join(from.path, deep, "run.sh"), 0o755);
  const big = Buffer.alloc(3_000_001, "sealwork");
  await writeFile(join(from.path, "big"), big);
  await utimes(join(from.path, "big"), 1_000_000_000, 1_000_000_000);
  await symlink("big", join(from.path, "link"));
  assert.deepEqual(await unpackInto(to.path, packWorkspace(from.path, never()), never()), { files: 3 });
  assert.equal((await lstat(join(to.path, deep, "run.sh"))).mode & 0o777, 0o755);
  assert.ok(big.equals(await readFile(join(to.path, "big"))));
  assert.equal((await lstat(join(to.path, "big"))).mtimeMs, 1_000_000_000_000);
  assert.equal(await readlink(join(to.path, "link")), "big");
  assert.ok((await lstat(join(to.path, "empty"))).isDirectory());
});

test("a file that shrinks while it is packed is filled to the size that was announced", async () => {
  await using from = await folder();
  const size = 64 * 1024 * 1024;
  const path = join(from.path, "a");
  await writeFile(path, Buffer.alloc(size, 1));
  await writeFile(join(from.path, "b"), "after");
  const tar = packWorkspace(from.path, never());
  const chunks: Buffer[] = [];
  for await (const chunk of tar as AsyncIterable<Buffer>) {
    if (chunks.length === 8) await truncate(path, 1000);
    chunks.push(chunk);
  }
  const [a, b] = await entriesOf(Buffer.concat(chunks));
  assert.equal(a?.content.length, size);
  assert.equal(a?.content.charCodeAt(size - 1), 0);
  assert.deepEqual(b, { name: "b", type: "file", content: "after" });
});

test("a file that grows while it is packed is cut at the size that was announced", async () => {
  await using from = await folder();
  const path = join(from.path, "a");
  await writeFile(path, Buffer.alloc(8_000_000, 1));
  await writeFile(join(from.path, "b"), "after");
  const chunks: Buffer[] = [];
  for await (const chunk of packWorkspace(from.path, never()) as AsyncIterable<Buffer>) {
    if (chunks.length === 2) await writeFile(path, Buffer.alloc(1_000_000, 2), { flag: "a" });
    chunks.push(chunk);
  }
  const entries = await entriesOf(Buffer.concat(chunks));
  assert.deepEqual(
    entries.map(({ name, content }) => [name, content.length]),
    [
      ["a", 8_000_000],
      ["b", 5],
    ],
  );
});

test("a FIFO and a file that is nearly all hole are counted, not packed", async () => {
  await using from = await folder();
  await promisify(execFile)("mkfifo", [join(from.path, "fifo")]);
  await writeFile(join(from.path, "hole"), "");
  await truncate(join(from.path, "hole"), 2 ** 40);
  const entries = await entriesOf(await buffer(packWorkspace(from.path, never())));
  assert.deepEqual(
    entries.map(({ name, type }) => [name, type]),
    [
      ["fifo", "fifo"],
      ["hole", "fifo"],
    ],
  );
});

test("a file whose time no tar can say gets the nearest one that it can", async () => {
  await using from = await folder();
  await using to = await folder();
  await writeFile(join(from.path, "late"), "x");
  await writeFile(join(from.path, "early"), "x");
  await utimes(join(from.path, "late"), new Date("2065-01-01T00:00:00Z"), new Date("2065-01-01T00:00:00Z"));
  await promisify(execFile)("touch", ["-d", "1950-01-01T00:00:00Z", join(from.path, "early")]);
  await unpackInto(to.path, packWorkspace(from.path, never()), never());
  assert.equal((await lstat(join(to.path, "late"))).mtime.toISOString(), "2038-01-19T03:14:07.000Z");
  assert.equal((await lstat(join(to.path, "early"))).mtime.toISOString(), "1970-01-01T00:00:00.000Z");
});

test("packing that is aborted ends", async () => {
  await using from = await folder();
  await writeFile(join(from.path, "a"), Buffer.alloc(64 * 1024 * 1024));
  const stop = new AbortController();
  const tar = packWorkspace(from.path, stop.signal);
  await assert.rejects(async () => {
    for await (const _chunk of tar) stop.abort();
  });
});

for (const [what, entries] of Object.entries({
  "..": [{ name: "../a" }],
  "an absolute name": [{ name: "/tmp/a" }],
  "a name below a symlink": [{ name: "l", type: "symlink" as const, linkname: "/tmp" }, { name: "l/a" }],
  "a device": [{ name: "d", type: "character-device" as const }],
})) {
  test(`an upload with ${what} is refused`, async () => {
    await using to = await folder();
    const tar = pack();
    for (const entry of entries) tar.entry(entry, "type" in entry ? "" : "x");
    tar.finalize();
    await assert.rejects(unpackInto(to.path, Readable.from(tar), never()), hasCode("invalid_upload"));
  });
}
