import assert from "node:assert/strict";
import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { AppError } from "../contract/errors.ts";
import { readAptSettings } from "./apt-settings.ts";
import { ensureDebianImage } from "./docker-base-image.ts";
import { docker, runHardened, TEST_BASE, testBase, testImages } from "./docker-images.fake.ts";
import { inspectImage } from "./docker-pull.ts";

const quiet = () => {};
const never = new AbortController().signal;
const OLD_DEBIAN = "sealwork-test/bookworm:minbase";

async function temporaryFolder(): Promise<AsyncDisposable & { path: string }> {
  const path = await mkdtemp(join(tmpdir(), "sealwork-images-"));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

async function removeImages(repository: string): Promise<void> {
  const images = await docker.listImages({ filters: JSON.stringify({ reference: [repository] }) });
  for (const tag of images.flatMap((image) => image.RepoTags ?? [])) await docker.getImage(tag).remove();
}

async function lines(template: typeof TEST_BASE, images = testImages()): Promise<string[]> {
  const said: string[] = [];
  await images.ensure(template, (line) => said.push(line), never);
  return said;
}

test("an image whose inputs have not changed is found without a build, in a few ms, and `latest` points to it", async () => {
  const { reference, digest } = await testBase();
  const images = testImages();
  assert.deepEqual(await lines(TEST_BASE, images), []);
  const started = performance.now();
  assert.deepEqual(await images.ensure(TEST_BASE, quiet, never), { reference, digest });
  assert(performance.now() - started < 250, "finding the image took as long as a bundle");
  assert.equal((await inspectImage(docker, "sealwork-test/base:latest", never))?.id, digest);
});

test("a changed runner makes one small layer anew", async () => {
  await testBase();
  await using folder = await temporaryFolder();
  const runner_entry = join(folder.path, "runner.ts");
  await writeFile(runner_entry, `console.log("${folder.path}");\n`);
  const images = testImages({ runner_entry, cache_folder: folder.path });
  const template = { ...TEST_BASE };
  const { reference } = await images.ensure(template, quiet, never);
  try {
    const kept = await readdir(folder.path);
    assert(!kept.some((name) => name.startsWith("node-packages")), "Node was packed again");
    const command = ["/opt/sealwork/bin/node", "--disable-sigusr1", "/opt/sealwork/runner.mjs"];
    assert.equal(await runHardened(reference, command), `${folder.path}\n`);
  } finally {
    await docker.getImage(reference).remove();
    await docker.getImage((await testBase()).reference).tag({ repo: TEST_BASE.image, tag: "latest" });
  }
});

test("the base of a process stays as it was made sure of, and is made again when its image is gone", async () => {
  const usual = await testBase();
  await using folder = await temporaryFolder();
  const runner_entry = join(folder.path, "runner.ts");
  await writeFile(runner_entry, `console.log("first ${folder.path}");\n`);
  const images = testImages({ runner_entry, cache_folder: folder.path });
  const made: string[] = [];
  try {
    const first = await images.ensure(TEST_BASE, quiet, never);
    made.push(first.reference);
    await writeFile(runner_entry, `console.log("second ${folder.path}");\n`);
    assert.deepEqual(await images.ensure(TEST_BASE, quiet, never), first);
    await docker.getImage(first.reference).remove();
    made.pop();
    const second = await images.ensure(TEST_BASE, quiet, never);
    made.push(second.reference);
    assert.notEqual(second.reference, first.reference);
  } finally {
    for (const reference of made) await docker.getImage(reference).remove();
    await docker.getImage(usual.reference).tag({ repo: TEST_BASE.image, tag: "latest" });
  }
});

test("a build folder becomes an image, once for callers at the same time, and a new one when a file changes", async () => {
  await using folder = await temporaryFolder();
  const template = { name: "changing", image: "sealwork-test/changing", build: folder.path };
  try {
    await writeFile(
      join(folder.path, "Dockerfile"),
      "FROM debian:trixie-slim\nCOPY word /word\nCMD cat /word\n",
    );
    await writeFile(join(folder.path, "word"), "one\n");
    const images = testImages();
    const both: string[] = [];
    const [first, same] = await Promise.all([
      images.ensure(template, (line) => both.push(line), never),
      images.ensure(template, quiet, never),
    ]);
    assert.deepEqual(first, same);
    assert.equal(both.filter((line) => line.startsWith("Step 1/3 ")).length, 1);
    assert.equal(await runHardened(first.reference, ["cat", "/word"]), "one\n");
    await writeFile(join(folder.path, "word"), "two\n");
    const second = await images.ensure(template, quiet, never);
    assert.notEqual(second.reference, first.reference);
    assert.equal(await runHardened(second.reference, ["cat", "/word"]), "two\n");
    assert.equal((await inspectImage(docker, `${template.image}:latest`, never))?.id, second.digest);
  } finally {
    await removeImages(template.image);
  }
});

test("npm packages that a build folder pins lie in its context, fetched outside the build, and tried ones do not", async () => {
  await using folder = await temporaryFolder();
  await using cache = await temporaryFolder();
  const template = { name: "packed", image: "sealwork-test/packed", build: folder.path };
  const npm = join(cache.path, "npm.mjs");
  await writeFile(
    npm,
    `import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
mkdirSync("node_modules/word/node_modules", { recursive: true });
mkdirSync("node_modules/.bin");
writeFileSync("node_modules/word/say", "#!/bin/sh\\necho " + process.argv.slice(2).join(" ") + "\\n", { mode: 0o755 });
symlinkSync("../word/say", "node_modules/.bin/say");
`,
  );
  try {
    await writeFile(join(folder.path, "package.json"), "{}");
    await writeFile(join(folder.path, "package-lock.json"), "{}");
    await mkdir(join(folder.path, "node_modules"));
    await writeFile(join(folder.path, "node_modules/tried"), "");
    await writeFile(
      join(folder.path, "Dockerfile"),
      "FROM debian:trixie-slim\nCOPY packages /packages\nCOPY . /context\n",
    );
    const images = testImages({ cache_folder: cache.path, npm_command: [process.execPath, npm] });
    const { reference } = await images.ensure(template, quiet, never);
    const said = await runHardened(reference, ["sh", "-c", "/packages/.bin/say; ls /context"]);
    assert.match(said, /^ci --ignore-scripts .*--os=linux --cpu=(x64|arm64) --libc=glibc\n/);
    assert.deepEqual(said.split("\n").slice(1), [
      "Dockerfile",
      "package-lock.json",
      "package.json",
      "packages",
      "",
    ]);
  } finally {
    await removeImages(template.image);
  }
});

test("a build that fails says the last lines of its output", async () => {
  await using folder = await temporaryFolder();
  await writeFile(
    join(folder.path, "Dockerfile"),
    "FROM debian:trixie-slim\nRUN echo the disk is on fire; exit 3\n",
  );
  const template = { name: "failing", image: "sealwork-test/failing", build: folder.path };
  await assert.rejects(
    testImages().ensure(template, quiet, never),
    (error) =>
      error instanceof AppError &&
      error.code === "image_build_failed" &&
      /the disk is on fire/.test(error.message),
  );
});

test("the last caller who aborts ends the build, and the next call makes the image all the same", async () => {
  await using folder = await temporaryFolder();
  await writeFile(
    join(folder.path, "Dockerfile"),
    `FROM debian:trixie-slim\nCOPY token /token\nRUN [ -e /token/not ] || sleep 1\n`,
  );
  await writeFile(join(folder.path, "token"), String(Math.random()));
  const template = { name: "aborted", image: "sealwork-test/aborted", build: folder.path };
  const images = testImages();
  const abort = new AbortController();
  try {
    const building = images.ensure(
      template,
      (line) => line.startsWith("Step 3/") && abort.abort(),
      abort.signal,
    );
    await assert.rejects(building, { name: "AbortError" });
    assert.equal(await inspectImage(docker, `${template.image}:latest`, never), null);
    await images.ensure(template, quiet, never);
    assert.notEqual(await inspectImage(docker, `${template.image}:latest`, never), null);
  } finally {
    await removeImages(template.image);
  }
});

test("a ready image that nobody has is `image_missing`, with what to do", async () => {
  const template = { name: "mine", image: "sealwork-test/no-such-image:1", build: null };
  await assert.rejects(
    testImages().ensure(template, quiet, never),
    (error) => error instanceof AppError && error.code === "image_missing" && error.hint !== undefined,
  );
});

test("an older Debian with neither Node nor Python becomes a sandbox by two lines", {
  timeout: 300_000,
}, async () => {
  await testBase();
  await using folder = await temporaryFolder();
  // It stays for the next run, as it takes half a minute to make.
  await ensureDebianImage({
    docker,
    image: { name: OLD_DEBIAN, suite: "bookworm" },
    cache_folder: folder.path,
    apt: await readAptSettings(never),
    progress: quiet,
    signal: never,
  });
  assert.deepEqual(await readdir(folder.path), []);
  await writeFile(
    join(folder.path, "Dockerfile"),
    `FROM ${OLD_DEBIAN}\nCOPY --from=${TEST_BASE.image} /opt/sealwork /opt/sealwork\nRUN /opt/sealwork/setup\n`,
  );
  const template = { name: "old", image: "sealwork-test/old", build: folder.path };
  try {
    const { reference } = await testImages().ensure(template, quiet, never);
    const says = await runHardened(reference, [
      "/bin/sh",
      "-c",
      `/opt/sealwork/bin/node --disable-sigusr1 /opt/sealwork/runner.mjs > /tmp/said & until [ -s /tmp/said ]; do :; done; kill $!; cat /tmp/said
       stat -c '%U %u:%g %n' /home/agent /workspace/ ; readlink /workspace; . /etc/os-release; echo $VERSION_CODENAME; command -v node python3 useradd; cat /opt/sealwork/bin/node 2>&1 | head -c 60; /opt/sealwork/bin/reaper pwd 3>/dev/null 4<>/tmp/control`,
    ]);
    const [runner = "", ...rest] = says.trim().split("\n");
    const { uid, version } = JSON.parse(runner);
    assert.equal(uid, 1000);
    assert.match(version, /^v26\./);
    assert.deepEqual(rest.slice(0, 4), [
      "agent 1000:1000 /home/agent",
      "agent 1000:1000 /workspace/",
      "home/agent/workspace",
      "bookworm",
    ]);
    assert.match(rest.join("\n"), /Permission denied/);
    assert.doesNotMatch(rest.join("\n"), /bin\/(node|python3)$/m);
  } finally {
    await removeImages(template.image);
  }
});
