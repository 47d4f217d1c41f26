import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { test } from "node:test";
import { archivesContract } from "./archives.contract.ts";
import { never, partsOf, tarOf } from "./artifact-samples.ts";
import { artifactsContract } from "./artifacts.contract.ts";
import { openFolderArtifacts } from "./folder.ts";

async function openTemporary() {
  const folder = await mkdtemp(join(tmpdir(), "sealwork-artifacts-"));
  const artifacts = await openFolderArtifacts({ folder });
  const dispose = async () => {
    const leftovers = await readdir(join(folder, "unfinished"));
    await rm(folder, { recursive: true });
    assert.deepEqual(leftovers, []);
  };
  return { artifacts, folder, [Symbol.asyncDispose]: dispose };
}

artifactsContract("folder", openTemporary);
archivesContract("folder", openTemporary);

test("a replaced ZIP leaves no files behind", async () => {
  await using place = await openTemporary();
  const job = randomUUID();
  await place.artifacts.saveUpload(job, partsOf({ a: "1" }), never);
  for (const content of ["2", "3", "3"]) {
    const own = () => [
      { name: "result.json" as const, content: () => Readable.from([Buffer.from(content)]) },
    ];
    await place.artifacts.writeZip(job, tarOf([{ name: "a", content }]), own, { patch: true }, never);
  }
  const names = (await readdir(join(place.folder, job))).map((name) => name.replace(/[0-9a-f]{64}/, "SHA"));
  assert.deepEqual(names.sort(), ["artifact.json", "changes-SHA.patch", "result-SHA.zip", "upload.tar"]);
});

test("what a killed process left unfinished is removed at the next start", async () => {
  await using place = await openTemporary();
  await writeFile(join(place.folder, "unfinished", "half"), "x");
  await openFolderArtifacts({ folder: place.folder });
  assert.deepEqual(await readdir(join(place.folder, "unfinished")), []);
});
