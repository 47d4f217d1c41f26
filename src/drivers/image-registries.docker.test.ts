import assert from "node:assert/strict";
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { docker, runHardened, testBase, testImages } from "./docker-images.fake.ts";
import { readImageRegistries } from "./image-registries.ts";

const signal = new AbortController().signal;

async function temporaryFolder(): Promise<AsyncDisposable & { path: string }> {
  const path = await mkdtemp(join(tmpdir(), "sealwork-registries-"));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

async function containers(): Promise<number> {
  const filters = JSON.stringify({ name: ["sealwork-registries-"] });
  return (await docker.listContainers({ all: true, filters })).length;
}

test("the base image says which registries its own npm and pip go to, without anything run in it", async () => {
  await using cache = await temporaryFolder();
  const { reference } = await testBase();
  const read = () => readImageRegistries({ docker, image: reference, cache_folder: cache.path, signal });
  const found = await read();
  assert(found !== null);
  const npm = await runHardened(reference, ["npm", "config", "get", "registry", "--logs-max=0"]);
  assert.deepEqual(found.npm, [npm.trim()]);
  assert.deepEqual([found.pip.length, found.pip.every((url) => url.startsWith("https://"))], [2, true]);
  assert.equal(await containers(), 0);
  assert.equal((await readdir(cache.path)).length, 1, "the answer is kept");
  assert.deepEqual(await read(), found);
});

test("an image that is not there, says nothing or says nonsense has none", async () => {
  await using folder = await temporaryFolder();
  const ask = (image: string) => readImageRegistries({ docker, image, cache_folder: folder.path, signal });
  assert.equal(await ask("sealwork-test/missing:none"), null);
  assert.equal(await ask("debian:trixie-slim"), null);
  const template = { name: "nonsense", image: "sealwork-test/nonsense", build: folder.path };
  await writeFile(
    join(folder.path, "Dockerfile"),
    "FROM debian:trixie-slim\nCOPY registries.json /opt/sealwork/registries.json\n",
  );
  await writeFile(join(folder.path, "registries.json"), '{"npm": "x"}');
  const { reference } = await testImages().ensure(template, () => {}, signal);
  try {
    assert.equal(await ask(reference), null);
    assert.equal(await containers(), 0);
  } finally {
    await docker.getImage("sealwork-test/nonsense:latest").remove();
    await docker.getImage(reference).remove();
  }
});
