import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createWriteStream } from "node:fs";
import {
  chmod,
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  readlink,
  rm,
  symlink,
  unlink,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { pipeline } from "node:stream/promises";
import { type TestContext, test } from "node:test";
import yazl from "yazl";
import { mergeChanges } from "./change-merge.ts";

const signal = new AbortController().signal;
const env = { PATH: process.env.PATH };

function git(cwd: string, ...args: string[]): string {
  const settings = ["-c", "user.name=t", "-c", "user.email=t@localhost", "-c", "core.autocrlf=false"];
  return execFileSync("git", [...settings, ...args], {
    cwd,
    encoding: "utf8",
    maxBuffer: 64 * 1024 * 1024,
    stdio: ["ignore", "pipe", "pipe"],
  });
}

async function temporary(t: TestContext): Promise<string> {
  const folder = await mkdtemp(path.join(tmpdir(), "sealwork-test-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

type Tree = Record<string, string | Buffer | { link: string } | { exec: string }>;

async function put(folder: string, tree: Tree): Promise<void> {
  for (const [name, value] of Object.entries(tree)) {
    const full = path.join(folder, name);
    await mkdir(path.dirname(full), { recursive: true });
    await rm(full, { force: true });
    if (typeof value === "string" || Buffer.isBuffer(value)) await writeFile(full, value);
    else if ("link" in value) await symlink(value.link, full);
    else {
      await writeFile(full, value.exec);
      await chmod(full, 0o755);
    }
  }
}

/** A ZIP as a job leaves it: what was sent is `sent`, and `work` is what the job did with it. */
async function jobZip(t: TestContext, sent: Tree, work: (folder: string) => Promise<void>): Promise<string> {
  const folder = await temporary(t);
  git(folder, "init", "-q");
  await put(folder, sent);
  git(folder, "add", "-A", "-f");
  git(folder, "commit", "-qm", "sent", "--allow-empty");
  await work(folder);
  git(folder, "add", "-A", "-f");
  const patch = git(folder, "diff", "--cached", "--full-index", "--binary", "--no-renames", "HEAD");
  return zipOf(t, folder, Buffer.from(patch));
}

async function zipOf(t: TestContext, folder: string, patch: Buffer): Promise<string> {
  const zip = new yazl.ZipFile();
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    const full = path.join(entry.parentPath, entry.name);
    const name = path.relative(folder, full);
    if (name === ".git" || name.startsWith(".git/") || entry.isDirectory()) continue;
    if (entry.isSymbolicLink()) zip.addBuffer(Buffer.from(await readlink(full)), name, { mode: 0o120777 });
    else zip.addFile(full, name);
  }
  zip.addBuffer(patch, ".sealwork/changes.patch");
  zip.end();
  const file = path.join(await temporary(t), "job.zip");
  await pipeline(zip.outputStream, createWriteStream(file));
  return file;
}

function merge(zip: string, folder: string, write_conflicts = true) {
  return mergeChanges({ zip, folder, job_name: "job-1", write_conflicts, env, signal });
}

const LINES = "one\ntwo\nthree\nfour\nfive\nsix\nseven\neight\n";

test("a clean change arrives: edits, new, deleted and binary files, modes and links", async (t) => {
  const binary = Buffer.from([0, 1, 2, 255, 254, 0, 7]);
  const sent: Tree = {
    "a.txt": LINES,
    "old/gone.txt": "bye\n",
    "b.bin": binary,
    "run.sh": "#!/bin/sh\n",
    "ü ö.txt": "x\n",
    'q"uote.txt': "1\n",
  };
  const zip = await jobZip(t, sent, async (folder) => {
    await put(folder, {
      "a.txt": LINES.replace("two", "TWO"),
      "new/file.txt": "new\n",
      "b.bin": Buffer.from([9, 0, 9]),
      link: { link: "a.txt" },
    });
    await put(folder, { "ü ö.txt": "y\n", 'q"uote.txt': "2\n", "empty.txt": "" });
    await unlink(path.join(folder, "old/gone.txt"));
    await chmod(path.join(folder, "run.sh"), 0o755);
  });
  const folder = await temporary(t);
  await put(folder, { ...sent, "untouched.txt": "mine\n" });
  const outcome = await merge(zip, folder);
  assert.deepEqual(outcome.conflicts, []);
  assert.deepEqual(outcome.left_out, []);
  assert.equal(await readFile(path.join(folder, "a.txt"), "utf8"), LINES.replace("two", "TWO"));
  assert.equal(await readFile(path.join(folder, "new/file.txt"), "utf8"), "new\n");
  assert.deepEqual(await readFile(path.join(folder, "b.bin")), Buffer.from([9, 0, 9]));
  assert.equal(await readlink(path.join(folder, "link")), "a.txt");
  assert.equal(await readFile(path.join(folder, "ü ö.txt"), "utf8"), "y\n");
  assert.equal(await readFile(path.join(folder, 'q"uote.txt'), "utf8"), "2\n");
  assert.equal(await readFile(path.join(folder, "empty.txt"), "utf8"), "");
  assert.equal((await lstat(path.join(folder, "run.sh"))).mode & 0o111, 0o111);
  assert.deepEqual(
    (await readdir(folder)).sort(),
    ["a.txt", "b.bin", "empty.txt", "link", "new", 'q"uote.txt', "run.sh", "untouched.txt", "ü ö.txt"].sort(),
  );

  const again = await merge(zip, folder);
  assert.deepEqual(again.changes, [], "applying the same job again changes nothing");
});

test("an uncommitted change elsewhere in the same file survives, and index and refs stay as they were", async (t) => {
  const sent: Tree = { "a.txt": LINES };
  const zip = await jobZip(t, sent, (folder) => put(folder, { "a.txt": LINES.replace("two", "TWO") }));
  const folder = await temporary(t);
  git(folder, "init", "-q");
  await put(folder, { ...sent, "staged.txt": "staged\n" });
  git(folder, "add", "a.txt");
  git(folder, "commit", "-qm", "begin");
  git(folder, "add", "staged.txt");
  await put(folder, { "a.txt": LINES.replace("seven", "SEVEN") });
  const index = await readFile(path.join(folder, ".git/index"));
  const refs = git(folder, "for-each-ref");
  const outcome = await merge(zip, folder);
  assert.deepEqual(outcome.conflicts, []);
  assert.equal(
    await readFile(path.join(folder, "a.txt"), "utf8"),
    LINES.replace("two", "TWO").replace("seven", "SEVEN"),
  );
  assert.deepEqual(await readFile(path.join(folder, ".git/index")), index);
  assert.equal(git(folder, "for-each-ref"), refs);
});

test("the same line changed on both sides is marked as git does", async (t) => {
  const sent: Tree = { "a.txt": LINES, "b.txt": "b\n" };
  const zip = await jobZip(t, sent, (folder) =>
    put(folder, { "a.txt": LINES.replace("two", "theirs"), "b.txt": "B\n" }),
  );
  const folder = await temporary(t);
  await put(folder, { ...sent, "a.txt": LINES.replace("two", "mine") });
  const outcome = await merge(zip, folder);
  assert.deepEqual(outcome.conflicts, ["a.txt"]);
  const text = await readFile(path.join(folder, "a.txt"), "utf8");
  assert.match(text, /<<<<<<< yours\nmine\n=======\ntheirs\n>>>>>>> job-1\n/);
  assert.equal(await readFile(path.join(folder, "b.txt"), "utf8"), "B\n");
});

test("where conflicts are not to be written, nothing at all is", async (t) => {
  const sent: Tree = { "a.txt": LINES, "b.txt": "b\n" };
  const zip = await jobZip(t, sent, (folder) =>
    put(folder, { "a.txt": "theirs\n", "b.txt": "B\n", "c.txt": "c\n" }),
  );
  const folder = await temporary(t);
  await put(folder, { ...sent, "a.txt": "mine\n" });
  const outcome = await merge(zip, folder, false);
  assert.equal(outcome.written, false);
  assert.deepEqual(outcome.conflicts, ["a.txt"]);
  assert.equal(await readFile(path.join(folder, "a.txt"), "utf8"), "mine\n");
  assert.equal(await readFile(path.join(folder, "b.txt"), "utf8"), "b\n");
  assert.deepEqual((await readdir(folder)).sort(), ["a.txt", "b.txt"]);
});

test("a file that only one side has changed while the other deleted it is a conflict that keeps the change", async (t) => {
  const sent: Tree = { "mine.txt": LINES, "theirs.txt": LINES };
  const zip = await jobZip(t, sent, async (folder) => {
    await unlink(path.join(folder, "mine.txt"));
    await put(folder, { "theirs.txt": LINES.replace("two", "TWO") });
  });
  const folder = await temporary(t);
  await put(folder, { "mine.txt": LINES.replace("six", "SIX") });
  const outcome = await merge(zip, folder);
  assert.deepEqual(outcome.conflicts.sort(), ["mine.txt", "theirs.txt"]);
  assert.equal(await readFile(path.join(folder, "mine.txt"), "utf8"), LINES.replace("six", "SIX"));
  assert.equal(await readFile(path.join(folder, "theirs.txt"), "utf8"), LINES.replace("two", "TWO"));
});

test("a binary file changed on both sides stays the user's and counts as a conflict", async (t) => {
  const zip = await jobZip(t, { "b.bin": Buffer.from([0, 1]) }, (folder) =>
    put(folder, { "b.bin": Buffer.from([0, 2]) }),
  );
  const folder = await temporary(t);
  await put(folder, { "b.bin": Buffer.from([0, 3]) });
  const outcome = await merge(zip, folder);
  assert.deepEqual(outcome.conflicts, ["b.bin"]);
  assert.deepEqual(await readFile(path.join(folder, "b.bin")), Buffer.from([0, 3]));
});

test("a new file that exists here already with other content is a conflict, with the same content nothing", async (t) => {
  const zip = await jobZip(t, {}, (folder) => put(folder, { "new.txt": "theirs\n", "same.txt": "same\n" }));
  const folder = await temporary(t);
  await put(folder, { "new.txt": "mine\n", "same.txt": "same\n" });
  const outcome = await merge(zip, folder);
  assert.deepEqual(outcome.conflicts, ["new.txt"]);
  assert.match(await readFile(path.join(folder, "new.txt"), "utf8"), /mine\n=======\ntheirs/);
});

test("a symbolic link on the way to a file is never followed", async (t) => {
  const zip = await jobZip(t, { "dir/a.txt": LINES }, (folder) =>
    put(folder, { "dir/a.txt": "theirs\n", "dir/b.txt": "b\n" }),
  );
  const outside = await temporary(t);
  await put(outside, { "a.txt": LINES });
  const folder = await temporary(t);
  await symlink(outside, path.join(folder, "dir"));
  await assert.rejects(merge(zip, folder), { code: "conflict", message: /dir is a symbolic link/ });
  assert.equal(await readFile(path.join(outside, "a.txt"), "utf8"), LINES);
  assert.deepEqual(await readdir(outside), ["a.txt"]);
  assert.deepEqual(await readdir(folder), ["dir"]);
});

test("a symbolic link in place of a file is the user's change, and what it points to is not touched", async (t) => {
  const zip = await jobZip(t, { "a.txt": LINES }, (folder) => put(folder, { "a.txt": "theirs\n" }));
  const outside = await temporary(t);
  await put(outside, { secret: "secret\n" });
  const folder = await temporary(t);
  await symlink(path.join(outside, "secret"), path.join(folder, "a.txt"));
  const outcome = await merge(zip, folder);
  assert.equal(outcome.conflicts.length > 0, true);
  assert.equal(await readFile(path.join(outside, "secret"), "utf8"), "secret\n");
});

test("a link of the job that leaves the folder is left out and said", async (t) => {
  const zip = await jobZip(t, { "a.txt": "a\n" }, (folder) =>
    put(folder, { "a.txt": "b\n", evil: { link: "../../etc/passwd" }, abs: { link: "/etc/passwd" } }),
  );
  const folder = await temporary(t);
  await put(folder, { "a.txt": "a\n" });
  const outcome = await merge(zip, folder);
  assert.equal(outcome.left_out.length, 2);
  assert.deepEqual(await readdir(folder), ["a.txt"]);
  assert.equal(await readFile(path.join(folder, "a.txt"), "utf8"), "b\n");
});

test("a link and a file below it cannot be combined to write elsewhere", async (t) => {
  const folder = await temporary(t);
  await put(folder, { "real/keep.txt": "keep\n", "a.txt": "a\n" });
  const sent: Tree = { "real/keep.txt": "keep\n", "a.txt": "a\n" };
  const first = await jobZip(t, sent, (work) => put(work, { way: { link: "real" } }));
  await merge(first, folder);
  assert.equal(await readlink(path.join(folder, "way")), "real");
  const second = await jobZip(t, sent, (work) => put(work, { "way/new.txt": "x\n" }));
  await assert.rejects(merge(second, folder), { code: "conflict" });
  assert.deepEqual(await readdir(path.join(folder, "real")), ["keep.txt"]);
});

for (const name of [
  "../evil.txt",
  ".git/hooks/post-checkout",
  "a/../../evil.txt",
  ".GIT/config",
  "/tmp/evil.txt",
]) {
  test(`a patch with the path ${name} is refused before anything is written`, async (t) => {
    const oid = "587be6b4c3f93f93c489c0111bba5596147a26cb";
    const patch = `diff --git a/${name} b/${name}\nnew file mode 100644\nindex ${"0".repeat(40)}..${oid}\n--- /dev/null\n+++ b/${name}\n@@ -0,0 +1 @@\n+x\n`;
    const work = await temporary(t);
    await put(work, { "evil.txt": "x\n" });
    const zip = await zipOf(t, work, Buffer.from(patch));
    const folder = await temporary(t);
    await assert.rejects(merge(zip, folder), { code: "conflict", message: /unsafe path/ });
    assert.deepEqual(await readdir(folder), []);
  });
}

test("a patch that does not belong to the files of the ZIP is refused", async (t) => {
  const zip = await jobZip(t, { "a.txt": "a\n" }, (folder) => put(folder, { "a.txt": "b\n" }));
  const work = await temporary(t);
  await put(work, { "a.txt": "something else\n" });
  const patch = execFileSync("unzip", ["-p", zip, ".sealwork/changes.patch"]);
  const other = await zipOf(t, work, patch);
  const folder = await temporary(t);
  await put(folder, { "a.txt": "a\n" });
  await assert.rejects(merge(other, folder), { code: "conflict", message: /do not belong together/ });
  assert.equal(await readFile(path.join(folder, "a.txt"), "utf8"), "a\n");
});

test("a file that becomes a folder, and a folder that becomes a file, are merged", async (t) => {
  const sent: Tree = { thing: "file\n", "other/x.txt": "x\n", "other/y.txt": "y\n" };
  const zip = await jobZip(t, sent, async (folder) => {
    await rm(path.join(folder, "thing"));
    await rm(path.join(folder, "other"), { recursive: true });
    await put(folder, { "thing/inner.txt": "inner\n", other: "file now\n" });
  });
  const folder = await temporary(t);
  await put(folder, sent);
  const outcome = await merge(zip, folder);
  assert.deepEqual(outcome.conflicts, []);
  assert.equal(await readFile(path.join(folder, "thing/inner.txt"), "utf8"), "inner\n");
  assert.equal(await readFile(path.join(folder, "other"), "utf8"), "file now\n");

  const kept = await temporary(t);
  await put(kept, { ...sent, "other/mine.txt": "mine\n" });
  await assert.rejects(merge(zip, kept), { code: "conflict", message: /other\/mine.txt/ });
  assert.equal(await readFile(path.join(kept, "other/x.txt"), "utf8"), "x\n");
  assert.equal(await readFile(path.join(kept, "thing"), "utf8"), "file\n");
});

test("line ends of Windows and a missing last line break come through exactly", async (t) => {
  const crlf = "one\r\ntwo\r\nthree";
  const zip = await jobZip(t, { "w.txt": crlf, ".gitattributes": "*.txt text=auto\n" }, (folder) =>
    put(folder, { ".gitattributes": "*.txt -text\n" }),
  );
  const folder = await temporary(t);
  await put(folder, { "w.txt": crlf, ".gitattributes": "*.txt text=auto\n" });
  await merge(zip, folder);
  const binary = await jobZip(t, { "w.bin": crlf }, (work) => put(work, { "w.bin": `${crlf}\r\nfour` }));
  await put(folder, { "w.bin": crlf });
  await merge(binary, folder);
  assert.equal(await readFile(path.join(folder, "w.bin"), "utf8"), `${crlf}\r\nfour`);
});
