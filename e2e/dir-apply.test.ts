import assert from "node:assert/strict";
import { chmod, cp, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, type TestContext, test } from "node:test";
import { cli, readZip, run, script, TestOrchestrator } from "./harness.ts";

let orchestrator: TestOrchestrator;
before(async () => {
  orchestrator = await TestOrchestrator.start();
});
after(() => orchestrator[Symbol.asyncDispose]());

const BINARY = Buffer.from(Array.from({ length: 2048 }, (_, index) => (index * 37) & 255));

/** A folder to work on, the client standing in it, and the ZIPs in a folder beside it. */
async function place(t: TestContext) {
  const parent = await mkdtemp(join(tmpdir(), "sealwork-dir-"));
  t.after(() => rm(parent, { recursive: true, force: true }));
  const folder = join(parent, "project");
  const zips = join(parent, "zips");
  await mkdir(folder);
  const env = { ...orchestrator.environment };
  return {
    parent,
    folder,
    sealwork: (...args: string[]) => cli(args, { cwd: folder, env }),
    /** Runs a task on the folder and gives the files of its ZIP. */
    work: async (...blocks: string[]) => {
      const task = join(parent, "task.md");
      await writeFile(task, script(...blocks));
      const done = await cli(["run", "--dir", ".", task, "--out", zips], { cwd: folder, env });
      assert.equal(done.code, 0, done.stderr + done.stdout);
      const [name] = await readdir(zips);
      const files = await readZip(await readFile(join(zips, String(name))));
      await rm(zips, { recursive: true });
      return { ...done, files };
    },
    write: (name: string, content: string | Buffer) => writeFile(join(folder, name), content),
    read: (name: string) => readFile(join(folder, name), "utf8"),
    git: async (...args: string[]) => (await run("git", args, { cwd: folder, env: GIT_ENV })).stdout,
  };
}

type Place = Awaited<ReturnType<typeof place>>;

const GIT_ENV = {
  PATH: process.env.PATH ?? "",
  GIT_CONFIG_GLOBAL: "/dev/null",
  GIT_AUTHOR_NAME: "A",
  GIT_AUTHOR_EMAIL: "a@example.com",
  GIT_COMMITTER_NAME: "A",
  GIT_COMMITTER_EMAIL: "a@example.com",
};

/** A repository as people have them at work: something staged, something changed since, something untracked, something ignored. */
async function atWork({ folder, git, write }: Place): Promise<void> {
  await git("init", "-q", "-b", "main");
  await mkdir(join(folder, "src"));
  await write(".gitignore", "*.secret\nbuild/\n");
  await write("src/app.txt", lines("app", 12));
  await write("old.txt", "to be deleted\n");
  await write("logo.bin", BINARY);
  await write("tool.sh", "#!/bin/sh\necho tool\n");
  await write("staged.txt", "one\n");
  await write("untouched.txt", "as it was\n");
  await git("add", ".");
  await git("commit", "-qm", "first");
  await write("staged.txt", "one\ntwo\n");
  await git("add", "staged.txt");
  await write("staged.txt", "one\ntwo\nthree\n");
  await write("src/app.txt", lines("app", 12).replace("app 2\n", "app 2, changed and not committed\n"));
  await write("untracked.txt", lines("note", 6));
  await write("key.secret", "never sent\n");
}

function lines(word: string, count: number): string {
  return Array.from({ length: count }, (_, index) => `${word} ${index + 1}\n`).join("");
}

/** What the user's index holds, byte for byte in meaning: modes, blobs and names. */
async function index({ git }: Place): Promise<string> {
  return git("ls-files", "--stage");
}

test("a repository at work goes in as it stands, and apply brings the changes back beside the user's own", async (t) => {
  const here = await place(t);
  await atWork(here);
  const { folder, git, read, sealwork, work, write } = here;
  const staged = await index(here);
  const { files, stderr } = await work(
    "cat staged.txt untracked.txt; test ! -e key.secret; test ! -e .git",
    `sed -i 's/^app 9$/app nine/' src/app.txt
     sed -i 's/^note 5$/note five/' untracked.txt
     rm old.txt; chmod +x tool.sh; printf '\\0\\1\\2changed' >> logo.bin
     mkdir -p docs; echo '# Guide' > 'docs/a guide é.md'; ln -s '../src/app.txt' docs/link`,
  );
  assert.match(stderr, /^sending 8 files, .*git/m);
  assert.ok(files.has(".sealwork/changes.patch"));
  assert.ok(!files.has("key.secret"));

  // Meanwhile the user goes on.
  await write("src/app.txt", (await read("src/app.txt")).replace("app 1\n", "app one, meanwhile\n"));
  await write("untouched.txt", "changed meanwhile\n");
  const status = await git("status", "--porcelain");

  const applied = await sealwork("apply", "last");
  assert.equal(applied.code, 0, applied.stderr);
  assert.deepEqual(applied.stdout.trimEnd().split("\n").sort(), [
    "7 files changed.",
    "A docs/a guide é.md",
    "A docs/link",
    "D old.txt",
    "M logo.bin",
    "M src/app.txt",
    "M tool.sh",
    "M untracked.txt",
  ]);
  const app = lines("app", 12)
    .replace("app 1\n", "app one, meanwhile\n")
    .replace("app 2\n", "app 2, changed and not committed\n")
    .replace("app 9\n", "app nine\n");
  assert.equal(await read("src/app.txt"), app);
  assert.equal(await read("untracked.txt"), lines("note", 6).replace("note 5\n", "note five\n"));
  assert.equal(await read("untouched.txt"), "changed meanwhile\n");
  assert.equal(await read("staged.txt"), "one\ntwo\nthree\n");
  assert.equal(await read("key.secret"), "never sent\n");
  assert.equal(await read("docs/a guide é.md"), "# Guide\n");
  assert.deepEqual(
    await readFile(join(folder, "logo.bin")),
    Buffer.concat([BINARY, Buffer.from("\0\x01\x02changed")]),
  );
  await assert.rejects(stat(join(folder, "old.txt")));
  assert.equal((await stat(join(folder, "tool.sh"))).mode & 0o111, 0o111);

  assert.equal(await index(here), staged, "the user's index is as it was");
  const touched = ["docs", "logo.bin", "old.txt", "src/app.txt", "tool.sh", "untracked.txt"];
  const untouched = (text: string) =>
    text.split("\n").filter((line) => !touched.some((name) => line.includes(name)));
  assert.deepEqual(untouched(await git("status", "--porcelain")), untouched(status));

  const again = await sealwork("apply", "last");
  assert.deepEqual([again.code, again.stdout], [0, "Nothing to change: the folder has it all already.\n"]);
});

test("a conflict is left marked as git does, what is clean is merged, and the exit code is 1", async (t) => {
  const here = await place(t);
  await atWork(here);
  const { read, sealwork, work, write } = here;
  const staged = await index(here);
  await work(
    "sed -i 's/^app 5$/app 5 of the job/' src/app.txt; echo fresh > fresh.txt; echo theirs > logo.bin",
  );
  await write("src/app.txt", (await read("src/app.txt")).replace("app 5\n", "app 5 of mine\n"));
  await write("logo.bin", "mine\n");
  const applied = await sealwork("apply", "last", "--json");
  assert.equal(applied.code, 1, applied.stderr);
  const answer = JSON.parse(applied.stdout);
  assert.deepEqual([answer.applied, answer.conflicts.sort()], [true, ["logo.bin", "src/app.txt"]]);
  assert.match(
    await read("src/app.txt"),
    /app 4\n<<<<<<< .*\napp 5 of mine\n(\|{7} .*\napp 5\n)?=======\napp 5 of the job\n>>>>>>> job-[0-9a-f]{8}\napp 6\n/,
  );
  assert.equal(await read("fresh.txt"), "fresh\n");
  assert.equal(await index(here), staged);
});

test("the patch in the ZIP applies with plain git to a copy of what was sent", async (t) => {
  const here = await place(t);
  await atWork(here);
  const { folder, parent, work } = here;
  const copy = join(parent, "copy");
  await cp(folder, copy, { recursive: true });
  const { files } = await work(
    "echo more >> src/app.txt; rm old.txt; chmod +x tool.sh; head -c 4096 /dev/urandom > logo.bin; echo new > new.txt",
  );
  const patch = join(parent, "changes.patch");
  await writeFile(patch, files.get(".sealwork/changes.patch")?.content ?? "");
  for (const where of [copy, await withoutGit(copy, parent)]) {
    await run("git", ["apply", patch], { cwd: where, env: { ...GIT_ENV, GIT_CEILING_DIRECTORIES: parent } });
    for (const name of ["src/app.txt", "logo.bin", "new.txt", "tool.sh", "staged.txt", "untracked.txt"])
      assert.deepEqual(await readFile(join(where, name)), files.get(name)?.content, name);
    await assert.rejects(stat(join(where, "old.txt")));
    assert.equal((await stat(join(where, "tool.sh"))).mode & 0o111, 0o111);
  }
});

async function withoutGit(source: string, parent: string): Promise<string> {
  const bare = join(parent, "bare");
  await cp(source, bare, { recursive: true, filter: (name) => !name.endsWith("/.git") });
  return bare;
}

test("a folder without git goes in without what tools make, and comes back all or nothing", async (t) => {
  const { folder, read, sealwork, work, write } = await place(t);
  await write("a.txt", lines("a", 5));
  await write("b.txt", "b\n");
  await mkdir(join(folder, "node_modules/x"), { recursive: true });
  await write("node_modules/x/index.js", "1\n");
  const { stderr } = await work(
    "test ! -e node_modules; sed -i 's/^a 3$/a three/' a.txt; rm b.txt; echo c > c.txt",
  );
  assert.match(stderr, /^sending 2 files, .*no git here/m);

  await write("a.txt", lines("a", 5).replace("a 3\n", "a 3 of mine\n"));
  const refused = await sealwork("apply", "last");
  assert.equal(refused.code, 1);
  assert.match(refused.stdout, /C a\.txt\n1 conflict, so nothing was written/);
  assert.equal(await read("a.txt"), lines("a", 5).replace("a 3\n", "a 3 of mine\n"));
  assert.equal(await read("b.txt"), "b\n");

  await write("a.txt", lines("a", 5).replace("a 1\n", "a one\n"));
  const applied = await sealwork("apply", "last");
  assert.equal(applied.code, 0, applied.stderr);
  assert.equal(await read("a.txt"), lines("a", 5).replace("a 1\n", "a one\n").replace("a 3\n", "a three\n"));
  assert.deepEqual((await readdir(folder)).sort(), ["a.txt", "c.txt", "node_modules"]);
});

test("apply never writes through a symlink that leads out of the folder", async (t) => {
  const here = await place(t);
  const { folder, parent, sealwork, work, write } = here;
  await mkdir(join(folder, "sub"));
  await write("sub/inner.txt", "inner\n");
  await work("echo changed > sub/inner.txt; echo new > sub/new.txt");
  const outside = join(parent, "outside");
  await mkdir(outside);
  await writeFile(join(outside, "inner.txt"), "inner\n");
  await rm(join(folder, "sub"), { recursive: true });
  await symlink(outside, join(folder, "sub"));
  const applied = await sealwork("apply", "last");
  assert.equal(applied.code, 1, applied.stdout);
  assert.equal(await readFile(join(outside, "inner.txt"), "utf8"), "inner\n");
  assert.deepEqual(await readdir(outside), ["inner.txt"]);
});

test("a subfolder of a repository can be sent alone, and apply touches only that", async (t) => {
  const here = await place(t);
  await atWork(here);
  const { folder, git, parent } = here;
  const env = { ...orchestrator.environment };
  await chmod(join(folder, "src/app.txt"), 0o755);
  const staged = await index(here);
  const sub = { cwd: join(folder, "src"), env };
  const done = await cli(
    ["run", "--dir", ".", script("ls; echo more >> app.txt; echo x > new.txt"), "--out", join(parent, "z")],
    sub,
  );
  assert.equal(done.code, 0, done.stderr);
  assert.match(done.stdout, / {2}│ app\.txt\n {2}✓/);
  const applied = await cli(["apply", "last"], sub);
  assert.equal(applied.code, 0, applied.stderr);
  assert.equal(applied.stdout, "M app.txt\nA new.txt\n2 files changed.\n");
  assert.equal(await index(here), staged);
  assert.match(await git("status", "--porcelain"), /^\?\? src\/new\.txt$/m);
});
