import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { Readable } from "node:stream";
import { buffer, text } from "node:stream/consumers";
import { describe, test } from "node:test";
import { extract } from "tar-stream";
import { fromBufferPromise } from "yauzl";
import type { Artifacts } from "../core/artifacts.ts";
import { never, rejectsWith, type TestTarEntry, tarOf } from "./artifact-samples.ts";

const HOSTILE: TestTarEntry[] = [
  { name: "fine/run.sh", content: "#!/bin/sh\n", mode: 0o755 },
  { name: "fine/line\nfeed", content: "x" },
  { name: "../up", content: "x" },
  { name: "/etc/passwd", content: "x" },
  { name: "a/../../b", content: "x" },
  { name: "out", type: "symlink", target: "/etc" },
  { name: "out/below", content: "x" },
  { name: "in", type: "symlink", target: "fine/run.sh" },
  { name: "fine/run.sh", content: "again" },
  { name: "device", type: "character-device" },
  { name: "unread", type: "fifo" },
  { name: "./folder/", type: "directory" },
  { name: "large", content: Buffer.alloc(700_000, "large ") },
];

/** What every place for artifacts must do with archives. `open` gives an empty one. */
export function archivesContract(
  name: string,
  open: () => Promise<{ artifacts: Artifacts } & AsyncDisposable>,
): void {
  describe(`archives of artifacts: ${name}`, () => {
    test("a hostile tar becomes a ZIP that is safe to unpack", async () => {
      await using place = await open();
      const zip = await buffer(place.artifacts.safeArchive(tarOf(HOSTILE), "zip", never));
      const file = await fromBufferPromise(zip, {});
      const entries = await Array.fromAsync(file.eachEntry());
      assert.deepEqual(entries.map(({ fileName }) => fileName).sort(), [
        "fine/run.sh",
        "folder/",
        "in",
        "large",
      ]);
      const large = entries.find(({ fileName }) => fileName === "large");
      assert.ok(large !== undefined);
      const content = await buffer(await file.openReadStreamPromise(large));
      assert.deepEqual(content, Buffer.alloc(700_000, "large "));
    });

    test("a hostile tar becomes a tar that leads nowhere else, with names and symlinks as they are", async () => {
      await using place = await open();
      const entries = await entriesOf(place.artifacts.safeArchive(tarOf(HOSTILE), "tar", never));
      assert.deepEqual(
        entries.map((entry) => entry.name + (entry.type === "file" ? "" : ` ${entry.type}`)),
        [
          "fine/run.sh",
          "fine/line\nfeed",
          "out symlink",
          "in symlink",
          "device fifo",
          "unread fifo",
          "folder/ directory",
          "large",
        ],
      );
      assert.deepEqual([entries[0]?.mode, entries[0]?.content.toString()], [0o755, "#!/bin/sh\n"]);
      assert.equal(entries[0]?.mtime?.toISOString(), "2026-05-04T03:02:02.000Z");
    });

    for (const format of ["zip", "tar"] as const) {
      test(`a tar that is cut, and one that is none, make a ${format} that fails and never just ends`, async () => {
        await using place = await open();
        const whole = await buffer(tarOf(HOSTILE));
        for (const bytes of [whole.subarray(0, -2048), whole.subarray(0, 100_000), Buffer.alloc(5000, "x")])
          await assert.rejects(
            buffer(place.artifacts.safeArchive(Readable.from([bytes]), format, never)),
            rejectsWith("protocol_violated"),
          );
      });

      test(`who stops reading a ${format} stops the tar that it is made of`, async () => {
        await using place = await open();
        const tar = tarOf([{ name: "large", content: Buffer.alloc(20_000_000) }]);
        const archive = place.artifacts.safeArchive(tar, format, never);
        archive.once("readable", () => archive.destroy());
        await once(archive, "close");
        assert.equal(tar.destroyed, true);
      });
    }

    test("a folder of a ZIP, and a file of it, come as a tar", async () => {
      await using place = await open();
      const { artifacts } = place;
      const job = randomUUID();
      const own = () => [{ name: "result.json" as const, content: () => Readable.from([Buffer.from("{}")]) }];
      await artifacts.writeZip(job, tarOf(HOSTILE), own, { patch: false }, never);
      const namesOf = async (path: string) =>
        (await entriesOf(await artifacts.openZipFolder(job, path, never))).map(({ name }) => name).sort();
      assert.deepEqual(await namesOf(""), [
        ".sealwork/result.json",
        "fine/run.sh",
        "folder/",
        "in",
        "large",
        "out/below",
      ]);
      assert.deepEqual(await namesOf("folder"), []);
      const [file] = await entriesOf(await artifacts.openZipFolder(job, "fine/run.sh", never));
      assert.deepEqual([file?.name, file?.mode, file?.content.toString()], ["run.sh", 0o755, "#!/bin/sh\n"]);
      assert.equal(await text(await artifacts.openZipFolder(job, "folder", never)), "\0".repeat(1024));
      for (const missing of ["none", "fin", "in", "large/x"])
        await assert.rejects(artifacts.openZipFolder(job, missing, never), rejectsWith("not_found"));
      await assert.rejects(artifacts.openZipFolder(job, "../x", never), rejectsWith("invalid_path"));
    });
  });
}

async function entriesOf(tar: Readable) {
  const entries: { name: string; type: string; mode: number; mtime: Date | undefined; content: Buffer }[] =
    [];
  const extraction = extract();
  tar.pipe(extraction as unknown as NodeJS.WritableStream);
  for await (const entry of extraction) {
    const { name, type, mode, mtime } = entry.header;
    const content = await buffer(entry as unknown as AsyncIterable<Buffer>);
    entries.push({ name, type: type ?? "", mode: mode ?? 0, mtime, content });
  }
  return entries;
}
