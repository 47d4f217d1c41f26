import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { docker, TEST_BASE, testBase, testImages } from "./docker-images.fake.ts";
import { declaredArguments, namedParents, pinParents, withoutRunner } from "./docker-parents.ts";

const folder = (dockerfile: string) => [
  { path: "Dockerfile", executable: false, content: Buffer.from(dockerfile) },
];
const text = (files: readonly { content: Uint8Array }[]) =>
  files.map(({ content }) => new TextDecoder().decode(content)).join();

test("our images that a Dockerfile names are found, and pinned to the very ones that were made sure of", () => {
  const files = folder(
    "FROM sealwork/base AS one\nFROM debian:trixie-slim\nCOPY --from=sealwork/base:latest /opt /opt\nCOPY --from=sealwork/tools /a /a\n",
  );
  assert.deepEqual(namedParents(files), ["base", "tools"]);
  const parents = new Map([["base", { reference: "sealwork/base:abc", digest: "sha256:1" }]]);
  assert.equal(
    text(pinParents(files, parents)),
    "FROM sealwork/base:abc AS one\nFROM debian:trixie-slim\nCOPY --from=sealwork/base:abc /opt /opt\nCOPY --from=sealwork/tools /a /a\n",
  );
});

test("a build is given the arguments that its Dockerfile declares", () => {
  const offered = { APT_MIRROR: "http://mirror", BASE_PARTS: "sealwork/base:parts-1" };
  assert.deepEqual(declaredArguments(folder("ARG BASE_PARTS=sealwork/base\nFROM $BASE_PARTS\n"), offered), {
    BASE_PARTS: "sealwork/base:parts-1",
  });
  assert.deepEqual(declaredArguments(folder("FROM debian\n"), offered), {});
});

test("what lies below the runner of a base stays the same when the runner changes", async () => {
  const usual = await testBase();
  const below = await withoutRunner(docker, usual, TEST_BASE.image);
  assert.match(below, /^sealwork-test\/base:parts-/);
  const path = await mkdtemp(join(tmpdir(), "sealwork-parents-"));
  const runner_entry = join(path, "runner.ts");
  await writeFile(runner_entry, `console.log("${path}");\n`);
  const changed = await testImages({ runner_entry, cache_folder: path }).ensure(
    TEST_BASE,
    () => {},
    new AbortController().signal,
  );
  try {
    assert.notEqual(changed.digest, usual.digest);
    assert.equal(await withoutRunner(docker, changed, TEST_BASE.image), below);
    const none = await withoutRunner(docker, usual, "sealwork-test/no-such-base");
    assert.equal(none, usual.reference);
  } finally {
    await docker.getImage(changed.reference).remove();
    await docker.getImage(usual.reference).tag({ repo: TEST_BASE.image, tag: "latest" });
    await rm(path, { recursive: true });
  }
});
