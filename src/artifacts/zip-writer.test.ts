import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { openPromise } from "yauzl";
import { never } from "./artifact-samples.ts";
import { NewFile } from "./durable-file.ts";
import { ZipWriter } from "./zip-writer.ts";

const run = promisify(execFile);
const at = new Date("2026-05-04T03:02:02Z");
const FILE = 0o100644;

async function writeZip(fill: (zip: ZipWriter) => Promise<void>) {
  const folder = await mkdtemp(join(tmpdir(), "sealwork-zip-"));
  await using file = await NewFile.create(join(folder, "test.zip"));
  await using directory = await NewFile.create(join(folder, "directory"));
  const remove = () => rm(folder, { recursive: true });
  try {
    const zip = new ZipWriter((chunk) => file.write(chunk), directory);
    await fill(zip);
    await zip.finish();
    await file.finish();
  } catch (error) {
    await remove();
    throw error;
  }
  return { path: file.path, [Symbol.asyncDispose]: remove };
}

async function* pieces(bytes: number, piece = Buffer.alloc(64 * 1024, "sealwork ")): AsyncGenerator<Buffer> {
  for (let left = bytes; left > 0; left -= piece.length)
    yield piece.subarray(0, Math.min(left, piece.length));
}

/** True when this machine has such a program; a ZIP is then also judged by a reader that shares nothing with ours. */
async function has(program: string): Promise<boolean> {
  return await run("sh", ["-c", `command -v ${program}`]).then(
    () => true,
    () => false,
  );
}

test("other readers take small, streamed and ZIP64 entries, modes, times and unicode names alike", async () => {
  await using zip = await writeZip(async (zip) => {
    await zip.addWhole({ path: "d ü/", mode: 0o040755, modified_at: at }, Buffer.alloc(0));
    await zip.addWhole({ path: "d ü/link", mode: 0o120777, modified_at: at }, Buffer.from("例"));
    const small = { size_bytes: 9, chunks: pieces(9) };
    await zip.addFile({ path: "d ü/例", mode: 0o100755, modified_at: at }, small, never);
    const large = { size_bytes: 3_000_000, chunks: pieces(3_000_000) };
    await zip.addFile({ path: "large", mode: FILE, modified_at: at }, large, never);
    const unknown = { size_bytes: null, chunks: pieces(3_000_001) };
    await zip.addFile({ path: "unknown", mode: FILE, modified_at: new Date(Number.NaN) }, unknown, never);
  });
  const reader = await openPromise(zip.path);
  const seen: (string | number)[][] = [];
  for await (const entry of reader.eachEntry()) {
    const mode = (entry.externalFileAttributes >>> 16).toString(8);
    seen.push([entry.fileName, entry.uncompressedSize, mode, entry.getLastModDate().toISOString()]);
  }
  const time = "2026-05-04T03:02:02.000Z";
  assert.deepEqual(seen, [
    ["d ü/", 0, "40755", time],
    ["d ü/link", 3, "120777", time],
    ["d ü/例", 9, "100755", time],
    ["large", 3_000_000, "100644", time],
    ["unknown", 3_000_001, "100644", "1980-01-01T00:00:00.000Z"],
  ]);
  if (await has("unzip")) assert.match((await run("unzip", ["-t", zip.path])).stdout, /No errors detected/);
  if (await has("python3")) {
    const script =
      "import sys, zipfile; z = zipfile.ZipFile(sys.argv[1]); print(z.testzip(), len(z.read('unknown')), z.infolist()[2].filename)";
    const { stdout } = await run("python3", ["-c", script, zip.path], {
      env: { PATH: "/usr/local/bin:/usr/bin:/bin", PYTHONIOENCODING: "utf-8" },
    });
    assert.equal(stdout, "None 3000001 d ü/例\n");
  }
});

test("more than 65,535 entries are kept, in time that grows no faster than their number", async () => {
  const fill = (entries: number) => async (zip: ZipWriter) => {
    for (let n = 0; n < entries; n += 1)
      await zip.addWhole({ path: `folder/${n}`, mode: FILE, modified_at: at }, Buffer.alloc(0));
  };
  const timed = async (entries: number) => {
    const start = performance.now();
    const zip = await writeZip(fill(entries));
    return { zip, ms: performance.now() - start };
  };
  const few = await timed(7_000);
  await few.zip[Symbol.asyncDispose]();
  const many = await timed(70_000);
  await using zip = many.zip;
  const reader = await openPromise(zip.path, { autoClose: false });
  assert.equal(reader.entryCount, 70_000);
  reader.close();
  // Ten times the entries; quadratic work would take a hundred times as long.
  assert.ok(many.ms < few.ms * 40, `${few.ms} ms for 7,000 entries, ${many.ms} ms for 70,000`);
  if (await has("unzip")) assert.match((await run("unzip", ["-tqq", zip.path])).stdout, /^$/);
});

test("an error of the content fails the entry", async () => {
  const failing = async function* () {
    yield* pieces(1_000_000);
    throw new Error("torn");
  };
  const writing = writeZip((zip) =>
    zip.addFile(
      { path: "a", mode: FILE, modified_at: at },
      { size_bytes: 2_000_000, chunks: failing() },
      never,
    ),
  );
  await assert.rejects(writing, /torn/);
});

test("content that does not compress is stored as it is", async () => {
  const noise = Buffer.from(Array.from({ length: 500 }, (_, n) => (n * 167 + ((n * n) >> 3)) & 255));
  await using zip = await writeZip((zip) =>
    zip.addWhole({ path: "noise", mode: FILE, modified_at: at }, noise),
  );
  assert.ok((await readFile(zip.path)).includes(noise));
});
