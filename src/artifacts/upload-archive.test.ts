import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { test } from "node:test";
import { UPLOAD_ENTRIES_MAX } from "../contract/api.ts";
import { AppError } from "../contract/errors.ts";
import type { UploadPart } from "../core/artifacts.ts";
import { never, rejectsWith } from "./artifact-samples.ts";
import { openFolderArtifacts } from "./folder.ts";
import { deflatedZeroes, type ForgedEntry, forgeZip } from "./forged-zip.ts";
import { readTar } from "./tar-reading.ts";

const MiB = 1024 * 1024;

async function openTemporary() {
  const folder = await mkdtemp(join(tmpdir(), "sealwork-archive-"));
  const artifacts = await openFolderArtifacts({ folder });
  return { artifacts, folder, [Symbol.asyncDispose]: () => rm(folder, { recursive: true }) };
}

async function* archive(...zips: Buffer[]): AsyncGenerator<UploadPart> {
  for (const zip of zips) yield { kind: "archive", content: Readable.from([zip]) };
}

async function unpacked(entries: ForgedEntry[]) {
  await using place = await openTemporary();
  const job = randomUUID();
  const totals = await place.artifacts.saveUpload(job, archive(forgeZip(entries)), never);
  const tar = await place.artifacts.openUpload(job);
  assert.ok(tar !== null);
  const found: string[] = [];
  const damaged = (cause: Error) => new AppError({ code: "internal", message: cause.message });
  for await (const { path, kind, mode, target, content } of readTar(tar, damaged, never)) {
    const text = (await buffer(content)).toString();
    found.push([path, kind, mode.toString(8), ...(kind === "symlink" ? [target] : [text])].join(" "));
  }
  return { totals, found };
}

async function refused(zip: Buffer | ForgedEntry[], pattern: RegExp): Promise<void> {
  await using place = await openTemporary();
  const parts = archive(Buffer.isBuffer(zip) ? zip : forgeZip(zip));
  await assert.rejects(
    place.artifacts.saveUpload(randomUUID(), parts, never),
    rejectsWith("invalid_upload", pattern),
  );
  assert.deepEqual(await readdir(place.folder), ["unfinished"]);
  assert.deepEqual(await readdir(join(place.folder, "unfinished")), []);
}

test("an archive becomes the upload, with executable bits, unicode names, folders and inner symlinks", async () => {
  const { totals, found } = await unpacked([
    { name: "bin/", mode: 0o40755 },
    { name: "bin/run", content: "#!/bin/sh", mode: 0o100775 },
    { name: "ü/例.txt", content: "x", mode: 0o100600 },
    { name: "dos.txt", content: "y", mode: 0 },
    { name: "ü/link", content: "../bin/run", mode: 0o120777 },
  ]);
  assert.deepEqual(totals, { files: 4, size_bytes: 11 });
  assert.deepEqual(found, [
    "bin folder 755 ",
    "bin/run file 755 #!/bin/sh",
    "ü/例.txt file 644 x",
    "dos.txt file 644 y",
    "ü/link symlink 755 ../bin/run",
  ]);
});

test("unsafe names in an archive are refused and named", async () => {
  await refused([{ name: "../evil" }], /"\.\.\/evil" contains `\.\.`/);
  await refused([{ name: "a/../../evil" }], /contains `\.\.`/);
  await refused([{ name: "/etc/passwd" }], /is absolute/);
  await refused([{ name: "C:/x" }], /drive letter/);
  await refused([{ name: "..\\evil" }], /backslash/);
  await refused([{ name: "" }], /is empty/);
  await refused([{ name: "nul\0x" }], /NUL/);
  await refused([{ name: "escape\u001b[31m" }], /"escape\?\[31m" contains a control character/);
  await refused([{ name: "n".repeat(300) }], /255 bytes/);
  await refused([{ name: "d/".repeat(2500) }], /4096 bytes/);
  await refused([{ name: "d/".repeat(300) }], /256 folders/);
  await refused([{ name: ".sealwork/result.json" }], /reserved/);
  await refused([{ name: "a" }, { name: "a" }], /"a" occurs twice/);
  await refused([{ name: "a" }, { name: "a/b" }], /"a\/b" lies below something that is a file/);
  await refused([{ name: "a/b" }, { name: "a" }], /"a" is a folder before/);
});

test("symlinks that lead out or are passed through, and devices, are refused", async () => {
  const link = (name: string, content: string): ForgedEntry => ({ name, content, mode: 0o120777 });
  await refused([link("l", "/etc/passwd")], /"l" has a target that is absolute/);
  await refused([link("l", "../x")], /leads out/);
  await refused([link("d/l", "../../x")], /leads out/);
  await refused([link("d/up", ".."), link("l", "d/up/../x")], /`\.\.` after a name/);
  await refused([link("l", "x\n")], /control character/);
  await refused([link("l", "")], /empty target/);
  await refused([link("l", "t".repeat(5000))], /target longer/);
  await refused([link("l", "d"), { name: "l/x" }], /below something that is a symlink/);
  await refused([{ name: "l/x" }, link("l", "d")], /"l" is a folder before/);
  await refused([{ name: "dev", mode: 0o020644 }], /neither a file/);
  await refused([{ name: "pipe", mode: 0o010644 }], /neither a file/);
});

test("a gigabyte of zeroes is refused before anything is unpacked", async () => {
  const packed = deflatedZeroes(1024);
  await refused(
    [{ name: "zeroes", packed, unpacked_bytes: 1024 * MiB }],
    /more than 200 times its packed size/,
  );
});

test("content larger than declared is refused when its declared size is reached", async () => {
  await refused([{ name: "liar", packed: deflatedZeroes(1024), unpacked_bytes: 100 }], /"liar" is damaged/);
});

test("many entries over the same bytes are refused by their sum", async () => {
  const packed = deflatedZeroes(60);
  const first = { name: "0", packed, unpacked_bytes: 60 * MiB };
  const entries = Array.from({ length: 100 }, (_, n) => ({
    ...first,
    name: String(n),
    ...(n > 0 ? { same_as: 0 } : {}),
  }));
  await refused(entries, /unpacks to more than 200 times its size/);
  const too_much = Array.from({ length: 200 }, (_, n) => ({
    ...first,
    name: String(n),
    ...(n > 0 ? { same_as: 0 } : {}),
  }));
  await refused(too_much, /unpacks to more than/);
});

test("an archive of 100,000 entries is refused", async () => {
  // Without ZIP64 the number of entries ends at 65,535, which is above the bound as well.
  const entries = Array.from({ length: 65_535 }, (_, n) => ({
    name: `f${n}`,
    packed: Buffer.alloc(0),
    method: 0,
  }));
  await refused(entries, new RegExp(`at most ${UPLOAD_ENTRIES_MAX}`));
});

test("encrypted, oddly compressed and broken archives are refused", async () => {
  await refused([{ name: "secret", content: "x", flags: 1 }], /"secret" is encrypted/);
  await refused([{ name: "odd", content: "x", method: 12 }], /method other than deflate/);
  await refused([{ name: "sum", content: "x", crc: 1 }], /"sum" is damaged.*checksum/);
  await refused([{ name: "short", content: "x", unpacked_bytes: 5 }], /"short" is damaged/);
  await refused([{ name: "rot", packed: Buffer.from("no deflate"), unpacked_bytes: 9 }], /"rot" is damaged/);
  await refused(Buffer.from("this is no ZIP"), /damaged or no ZIP/);
  await refused(Buffer.alloc(0), /damaged or no ZIP/);
  const whole = forgeZip([
    { name: "a", content: "x".repeat(1000) },
    { name: "b", content: "y" },
  ]);
  await refused(whole.subarray(0, whole.length - 30), /damaged or no ZIP/);
  await refused(whole.subarray(20), /damaged/);
  await refused(forgeZip([{ name: "a" }], { count: 7 }), /damaged/);
});

test("one archive may stand beside files, a second one or a file of the same name may not", async () => {
  await using place = await openTemporary();
  const zip = forgeZip([{ name: "a", content: "1" }]);
  const file = (path: string): UploadPart => ({
    kind: "file",
    path,
    content: Readable.from([Buffer.from("2")]),
  });
  const both = async function* () {
    yield file("b");
    yield* archive(zip);
  };
  assert.deepEqual(await place.artifacts.saveUpload(randomUUID(), both(), never), {
    files: 2,
    size_bytes: 2,
  });
  const same = async function* () {
    yield* archive(zip);
    yield file("a");
  };
  await assert.rejects(
    place.artifacts.saveUpload(randomUUID(), same(), never),
    rejectsWith("invalid_upload", /twice/),
  );
  const two = archive(zip, zip);
  await assert.rejects(
    place.artifacts.saveUpload(randomUUID(), two, never),
    rejectsWith("invalid_upload", /more than one/),
  );
});
