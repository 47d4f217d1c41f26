import assert from "node:assert/strict";
import { createHash, randomUUID } from "node:crypto";
import { Readable } from "node:stream";
import { buffer, text } from "node:stream/consumers";
import { describe, test } from "node:test";
import { AppError } from "../contract/errors.ts";
import { BLOB_MAX_BYTES, BLOBS_MAX_BYTES_PER_JOB } from "../contract/event-bounds.ts";
import type { Artifacts, PackedFile, UploadPart } from "../core/artifacts.ts";
import { never, partsOf, rejectsWith, type TestTarEntry, tarOf } from "./artifact-samples.ts";

async function write(artifacts: Artifacts, job_id: string, entries: TestTarEntry[], patch = false) {
  const packed: { files: PackedFile[]; left_out: number } = { files: [], left_out: 0 };
  const artifact = await artifacts.writeZip(
    job_id,
    tarOf(entries),
    async ({ files, left_out }) => {
      packed.files = await Array.fromAsync(files);
      packed.left_out = left_out;
      return [{ name: "result.json", content: () => Readable.from([Buffer.from("{}")]) }];
    },
    { patch },
    never,
  );
  return { artifact, packed };
}

/** What every place for artifacts must do. `open` gives an empty one. */
export function artifactsContract(
  name: string,
  open: () => Promise<{ artifacts: Artifacts } & AsyncDisposable>,
): void {
  describe(`artifacts: ${name}`, () => {
    test("keeps an upload as a tar and gives it to a retry", async () => {
      await using place = await open();
      const { artifacts } = place;
      const [job, retry] = [randomUUID(), randomUUID()];
      const totals = await artifacts.saveUpload(
        job,
        partsOf({ "a.txt": "one", "d/ü 例.txt": "zwei" }),
        never,
      );
      assert.deepEqual(totals, { files: 2, size_bytes: 7 });
      assert.equal(await artifacts.copyUpload(job, retry), true);
      await artifacts.remove(job);
      assert.equal(await artifacts.openUpload(job), null);
      const tar = await artifacts.openUpload(retry);
      assert.ok(tar !== null);
      const bytes = await buffer(tar);
      assert.equal(bytes.length % 512, 0);
      assert.ok(bytes.includes("d/ü 例.txt") && bytes.includes("zwei"));
      assert.equal(await artifacts.copyUpload(job, retry), false);
    });

    test("refuses unsafe names of uploaded files and keeps nothing then", async () => {
      await using place = await open();
      const { artifacts } = place;
      const names = [
        "../up",
        "a/../../up",
        "/etc/passwd",
        "C:\\x",
        "C:/x",
        "a\\b",
        "",
        "a//b",
        "a/./b",
        "nul\0",
        "line\nfeed",
        "tab\t",
        ".sealwork/result.json",
        ".sealwork",
        "./.sealwork/x",
        `${"n".repeat(256)}`,
        `${"d/".repeat(3000)}f`,
        "lone\ud800",
        "folder/",
      ];
      for (const unsafe of names) {
        const job = randomUUID();
        const saving = artifacts.saveUpload(job, partsOf({ "fine.txt": "x", [unsafe]: "x" }), never);
        await assert.rejects(saving, rejectsWith("invalid_upload"), JSON.stringify(unsafe).slice(0, 60));
        assert.equal(await artifacts.openUpload(job), null);
      }
      const twice = async function* (): AsyncGenerator<UploadPart> {
        yield* partsOf({ "a/b": "1" });
        yield* partsOf({ "a/b": "2" });
      };
      await assert.rejects(
        artifacts.saveUpload(randomUUID(), twice(), never),
        rejectsWith("invalid_upload", /twice/),
      );
      const below = partsOf({ a: "1", "a/b": "2" });
      await assert.rejects(
        artifacts.saveUpload(randomUUID(), below, never),
        rejectsWith("invalid_upload", /below/),
      );
      const above = partsOf({ "a/b": "2", a: "1" });
      await assert.rejects(
        artifacts.saveUpload(randomUUID(), above, never),
        rejectsWith("invalid_upload", /folder/),
      );
      assert.deepEqual(await Array.fromAsync(artifacts.list()), []);
    });

    test("packs files, folders and inner symlinks, and says what it packed", async () => {
      await using place = await open();
      const { artifacts } = place;
      const job = randomUUID();
      const { artifact, packed } = await write(artifacts, job, [
        { name: "./", type: "directory", mode: 0o755 },
        { name: "empty/", type: "directory", mode: 0o755 },
        { name: "run.sh", content: "#!/bin/sh\n", mode: 0o755 },
        { name: "ü/例 \u2028.txt", content: "unicode" },
        { name: "ü/up", type: "symlink", target: "../run.sh" },
      ]);
      const sha256 = createHash("sha256").update("unicode").digest("hex");
      assert.deepEqual(packed.files[1], { path: "ü/例 \u2028.txt", size_bytes: 7, sha256, mode: "100644" });
      assert.deepEqual(
        packed.files.map((file) => [file.path, file.mode]),
        [
          ["run.sh", "100755"],
          ["ü/例 \u2028.txt", "100644"],
          ["ü/up", "120777"],
        ],
      );
      assert.equal(artifact.left_out, 0);
      assert.equal(artifact.files, 4);
      const zip = await artifacts.openZip(job);
      assert.ok(zip !== null);
      const bytes = await buffer(zip.open(null));
      assert.equal(bytes.length, artifact.size_bytes);
      assert.equal(createHash("sha256").update(bytes).digest("hex"), artifact.sha256);
      assert.deepEqual(await buffer(zip.open({ start: 10, end: 19 })), bytes.subarray(10, 20));
      const root = await artifacts.listZip(job, "");
      assert.deepEqual(
        root.entries.map(({ path, type }) => [path, type]),
        [
          [".sealwork", "folder"],
          ["empty", "folder"],
          ["run.sh", "file"],
          ["ü", "folder"],
        ],
      );
      const inner = await artifacts.listZip(job, "ü");
      assert.deepEqual(
        inner.entries.map(({ path, type, size_bytes }) => [path, type, size_bytes]),
        [
          ["ü/up", "symlink", 9],
          ["ü/例 \u2028.txt", "file", 7],
        ],
      );
      assert.equal(inner.entries[1]?.modified_at, "2026-05-04T03:02:02.000Z");
      assert.deepEqual((await artifacts.listZip(job, "empty")).entries, []);
    });

    test("leaves out and counts what cannot stand in a ZIP safely", async () => {
      await using place = await open();
      const { artifacts } = place;
      const job = randomUUID();
      const { artifact, packed } = await write(artifacts, job, [
        { name: "../escape", content: "x" },
        { name: "/absolute", content: "x" },
        { name: "back\\slash", content: "x" },
        { name: "fifo", type: "fifo" },
        { name: "device", type: "character-device" },
        { name: "hard", type: "link", target: "kept" },
        { name: "out", type: "symlink", target: "../../etc/passwd" },
        { name: "abs", type: "symlink", target: "/etc" },
        { name: "trick", type: "symlink", target: "a/../../x" },
        { name: "inner", type: "symlink", target: "folder" },
        { name: "inner/through", content: "x" },
        { name: "kept", content: "first" },
        { name: "kept", content: "second" },
        { name: ".sealwork/result.json", content: "forged" },
        { name: ".sealwork/manifest.json/deeper", content: "forged" },
        { name: ".sealwork/session.ipynb", content: "stays" },
      ]);
      assert.deepEqual(
        packed.files.map((file) => file.path),
        ["inner", "kept", ".sealwork/session.ipynb"],
      );
      assert.equal(packed.left_out, 13);
      assert.equal(artifact.left_out, 13);
      assert.equal(await text((await artifacts.readZip(job, "kept", null)).content), "first");
      assert.equal(await text((await artifacts.readZip(job, ".sealwork/result.json", null)).content), "{}");
      await assert.rejects(artifacts.readZip(job, "inner", null), rejectsWith("not_found", /symlink/));
    });

    test("reads files and ranges out of the ZIP", async () => {
      await using place = await open();
      const { artifacts } = place;
      const job = randomUUID();
      const large = Buffer.alloc(3_000_000, "0123456789abc ");
      large.writeUInt32BE(0xdeadbeef, 1_500_000);
      await write(artifacts, job, [
        { name: "d/large", content: large },
        { name: "none", content: "" },
      ]);
      const whole = await artifacts.readZip(job, "d/large", null);
      assert.equal(whole.size_bytes, large.length);
      assert.ok((await buffer(whole.content)).equals(large));
      const part = await artifacts.readZip(job, "d/large", { start: 1_499_990, end: 1_500_009 });
      assert.deepEqual(await buffer(part.content), large.subarray(1_499_990, 1_500_010));
      const tail = await artifacts.readZip(job, "d/large", { start: 2_999_999, end: 9_999_999 });
      assert.equal((await buffer(tail.content)).length, 1);
      assert.equal((await buffer((await artifacts.readZip(job, "none", null)).content)).length, 0);
      const beyond = artifacts.readZip(job, "d/large", { start: 3_000_000, end: 3_000_001 });
      await assert.rejects(beyond, rejectsWith("range_not_satisfiable"));
      await assert.rejects(artifacts.readZip(job, "d", null), rejectsWith("not_found"));
      await assert.rejects(artifacts.readZip(job, "missing", null), rejectsWith("not_found"));
      await assert.rejects(artifacts.readZip(job, "../x", null), rejectsWith("invalid_path"));
      await assert.rejects(artifacts.listZip(job, "missing"), rejectsWith("not_found"));
      await assert.rejects(artifacts.listZip(job, "a/../.."), rejectsWith("invalid_path"));
      await assert.rejects(artifacts.listZip(randomUUID(), ""), rejectsWith("not_found"));
    });

    test("keeps the earlier ZIP when a new one fails, and replaces it when it is complete", async () => {
      await using place = await open();
      const { artifacts } = place;
      const job = randomUUID();
      const { artifact } = await write(artifacts, job, [{ name: "a", content: "1" }]);
      const tar = await buffer(
        tarOf([
          { name: "a", content: Buffer.alloc(4096, "x") },
          { name: "b", content: "2" },
        ]),
      );
      const own = () => [];
      const cuts = [tar.length - 1024, 2048, 512 + 4096, 100, 0];
      for (const cut of cuts) {
        const writing = artifacts.writeZip(
          job,
          Readable.from([tar.subarray(0, cut)]),
          own,
          { patch: false },
          never,
        );
        await assert.rejects(writing, rejectsWith("protocol_violated"), `cut at ${cut}`);
      }
      const lost = Readable.from(
        (async function* () {
          yield tar.subarray(0, 2048);
          throw new AppError({ code: "link_lost", message: "The link was lost." });
        })(),
      );
      await assert.rejects(
        artifacts.writeZip(job, lost, own, { patch: false }, never),
        rejectsWith("link_lost"),
      );
      const stop = new AbortController();
      const endless = Readable.from(
        (async function* () {
          yield tar.subarray(0, 2048);
          stop.abort(new AppError({ code: "shutting_down", message: "Stopped." }));
          await new Promise(() => undefined);
        })(),
      );
      const stopped = artifacts.writeZip(job, endless, own, { patch: false }, stop.signal);
      await assert.rejects(stopped, rejectsWith("shutting_down"));
      const failing = artifacts.writeZip(
        job,
        tarOf([{ name: "a", content: "9" }]),
        () => {
          throw new AppError({ code: "internal", message: "own files failed" });
        },
        { patch: false },
        never,
      );
      await assert.rejects(failing, rejectsWith("internal", /own/));
      assert.equal((await artifacts.openZip(job))?.sha256, artifact.sha256);
      assert.equal(await text((await artifacts.readZip(job, "a", null)).content), "1");
      await write(artifacts, job, [{ name: "a", content: "2" }]);
      assert.equal(await text((await artifacts.readZip(job, "a", null)).content), "2");
    });

    test("writes a ZIP of the orchestrator's own files alone when the workspace could not be had", async () => {
      await using place = await open();
      const { artifacts } = place;
      const job = randomUUID();
      const own = () => [
        { name: "transcript.md" as const, content: () => Readable.from([Buffer.from("# Hm")]) },
      ];
      const artifact = await artifacts.writeZip(job, null, own, { patch: true }, never);
      assert.equal(artifact.files, 1);
      assert.equal(
        await text((await artifacts.readZip(job, ".sealwork/transcript.md", null)).content),
        "# Hm",
      );
      assert.equal(await artifacts.openPatch(job), null);
    });

    test("makes a patch against the upload that honours its .gitignore", async () => {
      await using place = await open();
      const { artifacts } = place;
      const job = randomUUID();
      await artifacts.saveUpload(
        job,
        partsOf({ ".gitignore": "*.log\nbuild/\n", "kept.log": "1\n", "a.txt": "1\n" }),
        never,
      );
      await write(
        artifacts,
        job,
        [
          { name: ".gitignore", content: "*.log\nbuild/\n" },
          { name: "kept.log", content: "2\n" },
          { name: "new.log", content: "x\n" },
          { name: "build/out", content: "x\n" },
          { name: ".git/config", content: "x\n" },
          { name: "new.txt", content: "new\n" },
          { name: ".sealwork/notes", content: "x\n" },
        ],
        true,
      );
      const patch = await artifacts.openPatch(job);
      assert.ok(patch !== null);
      const lines = await text(patch);
      const named = [...lines.matchAll(/^diff --git a\/(.*) b\//gm)].map((match) => match[1]);
      assert.deepEqual(named, ["a.txt", "kept.log", "new.txt"]);
      assert.equal(
        await text((await artifacts.readZip(job, ".sealwork/changes.patch", null)).content),
        lines,
      );
    });

    test("keeps blobs by their hash within their bounds", async () => {
      await using place = await open();
      const { artifacts } = place;
      const job = randomUUID();
      const blob = Buffer.from("a picture");
      const sha256 = createHash("sha256").update(blob).digest("hex");
      await artifacts.saveBlob(job, sha256, blob);
      await artifacts.saveBlob(job, sha256, blob);
      const kept = await artifacts.openBlob(job, sha256);
      assert.equal(kept?.size_bytes, blob.length);
      assert.ok(kept !== null && (await buffer(kept.content)).equals(blob));
      assert.equal(await artifacts.openBlob(job, "0".repeat(64)), null);
      assert.equal(await artifacts.openBlob(job, "../artifact.json"), null);
      await assert.rejects(artifacts.saveBlob(job, "0".repeat(64), blob), rejectsWith("protocol_violated"));
      for (let n = 0; n < BLOBS_MAX_BYTES_PER_JOB / BLOB_MAX_BYTES; n += 1) {
        const large = Buffer.alloc(BLOB_MAX_BYTES, n + 1);
        const saving = artifacts.saveBlob(job, createHash("sha256").update(large).digest("hex"), large);
        if (n < BLOBS_MAX_BYTES_PER_JOB / BLOB_MAX_BYTES - 1) await saving;
        else await assert.rejects(saving, rejectsWith("body_too_large"));
      }
    });

    test("lists jobs, removes all of one, and takes no id that is no UUID", async () => {
      await using place = await open();
      const { artifacts } = place;
      const [one, two] = [randomUUID(), randomUUID()];
      await write(artifacts, one, []);
      await artifacts.saveUpload(two, partsOf({ a: "1" }), never);
      assert.deepEqual((await Array.fromAsync(artifacts.list())).sort(), [one, two].sort());
      await artifacts.remove(one);
      await artifacts.remove(one);
      assert.deepEqual(await Array.fromAsync(artifacts.list()), [two]);
      assert.equal(await artifacts.openZip(one), null);
      for (const bad of ["../x", "", "unfinished", `${two}/..`]) {
        await assert.rejects(artifacts.openUpload(bad), rejectsWith("invalid_id"));
        await assert.rejects(artifacts.remove(bad), rejectsWith("invalid_id"));
      }
    });
  });
}
