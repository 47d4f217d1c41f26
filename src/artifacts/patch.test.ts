import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { createHash, randomUUID } from "node:crypto";
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
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { test } from "node:test";
import { promisify } from "node:util";
import type { UploadPart } from "../core/artifacts.ts";
import { never, tarOf } from "./artifact-samples.ts";
import { openFolderArtifacts } from "./folder.ts";
import { forgeZip } from "./forged-zip.ts";

const run = promisify(execFile);

type Tree = Record<string, { content: Buffer | string; executable?: boolean } | { target: string }>;

async function patchBetween(
  before: Tree,
  after: Tree,
  extra: { name: string; content: string }[] = [],
): Promise<Buffer> {
  const folder = await mkdtemp(join(tmpdir(), "sealwork-patch-"));
  try {
    const artifacts = await openFolderArtifacts({ folder });
    const job = randomUUID();
    const zip = forgeZip(
      Object.entries(before).map(([name, file]) =>
        "target" in file
          ? { name, content: file.target, mode: 0o120777 }
          : { name, content: Buffer.from(file.content), mode: file.executable ? 0o100755 : 0o100644 },
      ),
    );
    const parts = async function* (): AsyncGenerator<UploadPart> {
      yield { kind: "archive", content: Readable.from([zip]) };
    };
    await artifacts.saveUpload(job, parts(), never);
    const tar = tarOf([
      ...Object.entries(after).map(([name, file]) =>
        "target" in file
          ? ({ name, type: "symlink", target: file.target } as const)
          : { name, content: file.content, mode: file.executable ? 0o755 : 0o644 },
      ),
      ...extra,
    ]);
    await artifacts.writeZip(job, tar, () => [], { patch: true }, never);
    const patch = await artifacts.openPatch(job);
    assert.ok(patch !== null);
    return await buffer(patch);
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** What `git apply` makes of the patch on a copy of `before`. */
async function applied(before: Tree, patch: Buffer): Promise<Record<string, string>> {
  const folder = await mkdtemp(join(tmpdir(), "sealwork-apply-"));
  try {
    await mkdir(join(folder, "w"));
    for (const [path, file] of Object.entries(before)) {
      await mkdir(dirname(join(folder, "w", path)), { recursive: true });
      if ("target" in file) await symlink(file.target, join(folder, "w", path));
      else {
        await writeFile(join(folder, "w", path), file.content);
        await chmod(join(folder, "w", path), file.executable ? 0o755 : 0o644);
      }
    }
    await writeFile(join(folder, "patch"), patch);
    if (patch.length > 0) await run("git", ["apply", "../patch"], { cwd: join(folder, "w") });
    return await treeOf(join(folder, "w"));
  } finally {
    await rm(folder, { recursive: true });
  }
}

async function treeOf(folder: string, prefix = ""): Promise<Record<string, string>> {
  const tree: Record<string, string> = {};
  for (const name of await readdir(join(folder, prefix))) {
    const path = prefix === "" ? name : `${prefix}/${name}`;
    const stats = await lstat(join(folder, path));
    if (stats.isDirectory()) Object.assign(tree, await treeOf(folder, path));
    else if (stats.isSymbolicLink()) tree[path] = `-> ${await readlink(join(folder, path))}`;
    else tree[path] = shown(await readFile(join(folder, path)), (stats.mode & 0o100) !== 0);
  }
  return tree;
}

function expected(tree: Tree): Record<string, string> {
  return Object.fromEntries(
    Object.entries(tree).map(([path, file]) => [
      path,
      "target" in file ? `-> ${file.target}` : shown(Buffer.from(file.content), file.executable === true),
    ]),
  );
}

function shown(content: Buffer, executable: boolean): string {
  const text =
    content.length > 200 ? createHash("sha256").update(content).digest("hex") : content.toString("latin1");
  return `${executable ? "x" : "-"} ${text}`;
}

/** Numbers that look random and are the same in each run. */
function sequence(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

test("applying the patch to what was sent gives what was made: edits, binary, modes, renames, deletions, symlinks, odd names", async () => {
  const binary = Buffer.from(Array.from({ length: 5000 }, (_, n) => (n * 31) & 255));
  const before: Tree = {
    "edited.txt": { content: "one\ntwo\nthree\n" },
    "no newline": { content: "end" },
    "image.bin": { content: binary },
    "renamed.txt": { content: "the same\n".repeat(50) },
    "deleted.txt": { content: "gone\n" },
    "deleted/deep/bin": { content: binary },
    "run.sh": { content: "#!/bin/sh\n" },
    "plain.sh": { content: "#!/bin/sh\n", executable: true },
    link: { target: "edited.txt" },
    "link to file": { target: "run.sh" },
    "file to folder": { content: "x\n" },
    "folder to file/x": { content: "x\n" },
    empty: { content: "" },
    'ü/"quoted" $HOME `x`.txt': { content: "1\n" },
    "untouched/-rf": { content: "x\n" },
  };
  const after: Tree = {
    "edited.txt": { content: "one\n2\nthree\nfour\n" },
    "no newline": { content: "end\nof file" },
    "image.bin": { content: Buffer.concat([binary.subarray(100), Buffer.from([0, 1, 2])]) },
    "moved/renamed.txt": { content: "the same\n".repeat(50) },
    "run.sh": { content: "#!/bin/sh\n", executable: true },
    "plain.sh": { content: "#!/bin/sh\necho\n" },
    link: { target: "run.sh" },
    "link to file": { content: "now a file\n" },
    "file to folder/x": { content: "x\n" },
    "folder to file": { content: "x\n" },
    empty: { content: "" },
    "new empty": { content: "" },
    "new binary": { content: Buffer.from([0, 255, 0, 10, 13]) },
    'ü/"quoted" $HOME `x`.txt': { content: "2\n" },
    " leading and trailing ": { content: "x\n" },
    "例/新しい": { content: "x\r\n" },
    "untouched/-rf": { content: "x\n" },
  };
  const patch = await patchBetween(before, after);
  assert.deepEqual(await applied(before, patch), expected(after));
});

test("many random edits come back exactly", async () => {
  for (const seed of [1, 2, 3]) {
    const random = sequence(seed);
    const lines = () => Array.from({ length: random(60) }, () => `line ${random(20)}\n`).join("");
    const names = Array.from({ length: 60 }, (_, n) => `d${random(6)}/e${random(3)}/f${n}`);
    const tree = (): Tree =>
      Object.fromEntries(
        names
          .filter(() => random(3) > 0)
          .map((name) => [
            name,
            {
              content: random(5) === 0 ? Buffer.from([0, random(256)]) : lines(),
              executable: random(4) === 0,
            },
          ]),
      );
    const [before, after] = [tree(), tree()];
    assert.deepEqual(
      await applied(before, await patchBetween(before, after)),
      expected(after),
      `seed ${seed}`,
    );
  }
});

test("nested .gitignore files of the upload decide about new files only, and those of the workspace about none", async () => {
  const before: Tree = {
    ".gitignore": { content: "*.tmp\n!keep.tmp\nout/\n/root-only\n" },
    "a/.gitignore": { content: "*.gen\n!special.tmp\n" },
    "tracked.tmp": { content: "1\n" },
    "out/tracked": { content: "1\n" },
  };
  const after: Tree = {
    ...before,
    ".gitignore": { content: "" },
    "tracked.tmp": { content: "2\n" },
    "out/tracked": { content: "2\n" },
    "new.tmp": { content: "x\n" },
    "keep.tmp": { content: "x\n" },
    "a/x.gen": { content: "x\n" },
    "x.gen": { content: "x\n" },
    "a/b/special.tmp": { content: "x\n" },
    "a/out/deep/new": { content: "x\n" },
    "root-only": { content: "x\n" },
    "a/root-only": { content: "x\n" },
    "b/.gitignore": { content: "*\n" },
    "b/new": { content: "x\n" },
  };
  const patch = (await patchBetween(before, after)).toString();
  const named = [...patch.matchAll(/^diff --git a\/(.*) b\//gm)].map((match) => match[1]);
  assert.deepEqual(named, [
    ".gitignore",
    "a/b/special.tmp",
    "a/root-only",
    "b/.gitignore",
    "b/new",
    "keep.tmp",
    "out/tracked",
    "tracked.tmp",
    "x.gen",
  ]);
});

test("names that git refuses, and .sealwork, are left out of the patch", async () => {
  const extra = [
    ".git/hooks/post-checkout",
    "sub/.GIT/config",
    "git~1/x",
    ".git. /x",
    ".sealwork/notes",
    "ok/.gitx",
  ];
  const patch = await patchBetween(
    {},
    {},
    extra.map((name) => ({ name, content: "x\n" })),
  );
  const named = [...patch.toString().matchAll(/^diff --git a\/(.*) b\//gm)].map((match) => match[1]);
  assert.deepEqual(named, ["ok/.gitx"]);
  assert.deepEqual(await applied({}, patch), { "ok/.gitx": "- x\n" });
});

test("no changes make an empty patch", async () => {
  const tree: Tree = { a: { content: "1\n" }, b: { content: "2\n", executable: true }, c: { target: "a" } };
  assert.equal((await patchBetween(tree, tree)).length, 0);
});

test("where git is missing, a patch is refused with what to do", async () => {
  const program = `
import { createHash, randomUUID } from "node:crypto";
import { Readable } from "node:stream";
import { openFolderArtifacts } from ${JSON.stringify(new URL("./folder.ts", import.meta.url).href)};
const artifacts = await openFolderArtifacts({ folder: process.argv[1] });
const workspace = Readable.from([Buffer.alloc(1024)]);
await artifacts
  .writeZip(randomUUID(), workspace, () => [], { patch: true }, new AbortController().signal)
  .catch((error) => console.log(error.code, error.message));
console.log(workspace.destroyed, (await Array.fromAsync(artifacts.list())).length);
`;
  const folder = await mkdtemp(join(tmpdir(), "sealwork-nogit-"));
  try {
    const args = ["--input-type=module", "-e", program, folder];
    const { stdout } = await run(process.execPath, args, { env: { PATH: folder } });
    assert.match(stdout, /^setup_failed .*`git` is not installed.*\ntrue 0\n$/);
  } finally {
    await rm(folder, { recursive: true });
  }
});
