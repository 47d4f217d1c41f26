import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import {
  chmod,
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  realpath,
  rename,
  rm,
  symlink,
  truncate,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { test } from "node:test";
import { promisify } from "node:util";
import { extract, pack } from "tar-stream";
import { AppError } from "../../contract/errors.ts";
import type { FilePlace } from "../handlers.ts";
import { archivePlace } from "./archive.ts";
import { listFolder, readPlace } from "./browse.ts";
import { changeFiles } from "./change.ts";
import { openToRead, type Roots } from "./inside.ts";
import { ENDLESS_ROOM, receiveFile } from "./receive-file.ts";
import { unpackAt } from "./unpack.ts";

const never = (): AbortSignal => new AbortController().signal;
const hasCode = (code: string) => (error: unknown) => error instanceof AppError && error.code === code;
const inWorkspace = (path: string): FilePlace => ({ root: "workspace", path });
const inHome = (path: string): FilePlace => ({ root: "home", path });

type Place = AsyncDisposable & Roots & { outside: string };
async function place(): Promise<Place> {
  const parent = await realpath(await mkdtemp(join(tmpdir(), "sealwork-test-")));
  const home = join(parent, "home");
  const workspace = join(home, "workspace");
  const outside = join(parent, "outside");
  await mkdir(workspace, { recursive: true });
  await mkdir(join(home, ".sealwork"));
  await writeFile(join(home, ".sealwork", "token"), "secret");
  await mkdir(outside);
  await writeFile(join(outside, "secret"), "outside");
  return {
    home,
    workspace,
    outside,
    [Symbol.asyncDispose]: () => rm(parent, { recursive: true, force: true }),
  };
}

const write = (at: Place, where: FilePlace, content: string | Readable, only_new = false) =>
  receiveFile(at, where, typeof content === "string" ? Readable.from([Buffer.from(content)]) : content, {
    only_new,
    room: ENDLESS_ROOM,
  });

test("a folder is listed by name, and a file is read whole and in part", async () => {
  await using at = await place();
  await mkdir(join(at.workspace, "sub"));
  await writeFile(join(at.workspace, "sub", "b"), "0123456789");
  await symlink("b", join(at.workspace, "sub", "a"));
  const list = await listFolder(at, inWorkspace("sub"));
  assert.deepEqual(
    list.entries.map(({ path, type }) => [path, type]),
    [
      ["sub/a", "symlink"],
      ["sub/b", "file"],
    ],
  );
  assert.equal(await textOf((await readPlace(at, inWorkspace("sub/a"), null)).content), "0123456789");
  const part = await readPlace(at, inHome("workspace/sub/b"), { start: 2, end: 4 });
  assert.deepEqual([part.size_bytes, await textOf(part.content)], [10, "234"]);
  await assert.rejects(
    readPlace(at, inWorkspace("sub/b"), { start: 10, end: 12 }),
    hasCode("range_not_satisfiable"),
  );
});

test("a path that leaves its root is refused for everything, by its names and by a symlink anywhere on the way", async () => {
  await using at = await place();
  await symlink(at.outside, join(at.workspace, "out"));
  await symlink("../..", join(at.workspace, "up"));
  await mkdir(join(at.workspace, "in"));
  await symlink("../out", join(at.workspace, "in", "hop"));
  const paths = [
    "..",
    "a/../../b",
    join(at.outside, "secret"),
    "out/secret",
    "up/outside/secret",
    "in/hop/secret",
    "in/hop/new/er",
    "out/new",
    "a\0b",
  ];
  for (const path of paths) {
    const where = inWorkspace(path);
    await assert.rejects(write(at, where, "x"), hasCode("invalid_path"), `write ${path}`);
    await assert.rejects(
      changeFiles(at, { change: "make_folder", ...where }),
      hasCode("invalid_path"),
      `make ${path}`,
    );
    await assert.rejects(
      changeFiles(at, { change: "remove", ...where, recursive: true }),
      hasCode("invalid_path"),
      `remove ${path}`,
    );
  }
  for (const path of paths.filter((one) => !one.includes("new"))) {
    const where = inWorkspace(path);
    await assert.rejects(readPlace(at, where, null), hasCode("invalid_path"), `read ${path}`);
    await assert.rejects(archivePlace(at, where, never()), hasCode("invalid_path"), `archive ${path}`);
  }
  await assert.rejects(listFolder(at, inWorkspace("out")), hasCode("invalid_path"));
  assert.deepEqual(await readdir(at.outside), ["secret"]);
  assert.equal(await readFile(join(at.outside, "secret"), "utf8"), "outside");
});

test("a symlink to a file outside is neither read nor written through, and is itself removed and moved", async () => {
  await using at = await place();
  await symlink(join(at.outside, "secret"), join(at.workspace, "link"));
  await symlink("/proc/self/environ", join(at.workspace, "environ"));
  await symlink("nowhere/at/all", join(at.workspace, "dangling"));
  await assert.rejects(readPlace(at, inWorkspace("link"), null), hasCode("invalid_path"));
  await assert.rejects(readPlace(at, inWorkspace("environ"), null), hasCode("invalid_path"));
  for (const name of ["link", "environ", "dangling"])
    await assert.rejects(write(at, inWorkspace(name), "x"), hasCode("conflict"));
  await assert.rejects(write(at, inWorkspace("dangling/x"), "x"), hasCode("conflict"));
  await changeFiles(at, { change: "rename", root: "workspace", path: "link", to: "moved" });
  assert.ok((await lstat(join(at.workspace, "moved"))).isSymbolicLink());
  await changeFiles(at, { change: "remove", root: "workspace", path: "moved", recursive: true });
  assert.equal(await readFile(join(at.outside, "secret"), "utf8"), "outside");
});

test("what is swapped for a symlink between the check of a path and its opening is not read", async () => {
  await using at = await place();
  const folder = join(at.workspace, "folder");
  await mkdir(folder);
  await writeFile(join(folder, "secret"), "inside");
  const real = join(folder, "secret");
  await rename(folder, join(at.workspace, "kept"));
  await symlink(at.outside, folder);
  await assert.rejects(openToRead(at, real, inWorkspace("folder/secret")), hasCode("conflict"));
});

test("a workspace that the job has replaced by a symlink out of its home is not reached", async () => {
  await using at = await place();
  await rename(at.workspace, join(at.home, "moved"));
  await symlink(at.outside, at.workspace);
  await assert.rejects(readPlace(at, inWorkspace("secret"), null), hasCode("invalid_path"));
  await assert.rejects(listFolder(at, inWorkspace("")), hasCode("invalid_path"));
  await assert.rejects(archivePlace(at, inWorkspace(""), never()), hasCode("invalid_path"));
  await assert.rejects(write(at, inWorkspace("new"), "x"), hasCode("invalid_path"));
  assert.deepEqual(await readdir(at.outside), ["secret"]);
});

test("nobody reaches the runner's own files, and nobody changes what is reserved in the workspace", async () => {
  await using at = await place();
  await mkdir(join(at.workspace, ".sealwork"));
  await writeFile(join(at.workspace, ".sealwork", "notes.md"), "notes");
  await symlink("../.sealwork", join(at.home, "link"));
  await symlink(".sealwork", join(at.home, "link2"));
  for (const path of [".sealwork/token", "link2/token", "workspace/../.sealwork/token"]) {
    await assert.rejects(readPlace(at, inHome(path), null), hasCode("invalid_path"), path);
    await assert.rejects(write(at, inHome(path), "x"), hasCode("invalid_path"), path);
  }
  const { entries } = await listFolder(at, inHome(""));
  assert.deepEqual(
    entries.map(({ path }) => path),
    ["link", "link2", "workspace"],
  );
  assert.equal(await textOf((await readPlace(at, inWorkspace(".sealwork/notes.md"), null)).content), "notes");
  for (const where of [
    inWorkspace(".sealwork/notes.md"),
    inHome("workspace/.sealwork/new"),
    inWorkspace(".sealwork"),
  ]) {
    await assert.rejects(write(at, where, "x"), hasCode("invalid_path"));
    await assert.rejects(
      changeFiles(at, { change: "remove", ...where, recursive: true }),
      hasCode("invalid_path"),
    );
    await assert.rejects(
      changeFiles(at, { change: "rename", ...where, to: "elsewhere" }),
      hasCode("invalid_path"),
    );
  }
  for (const where of [inWorkspace(""), inHome(""), inHome("workspace"), inWorkspace("a/..")])
    await assert.rejects(
      changeFiles(at, { change: "remove", ...where, recursive: true }),
      hasCode("invalid_path"),
    );
  const names = await namesOf(await archivePlace(at, inHome(""), never()));
  assert.deepEqual(names, [
    "link",
    "link2",
    "workspace",
    "workspace/.sealwork",
    "workspace/.sealwork/notes.md",
  ]);
});

test("a file is made with its folders, replaced whole, keeps its mode, and has any name", async () => {
  await using at = await place();
  const name = "täglich/a b\nc/📦.sh";
  assert.deepEqual(await write(at, inWorkspace(name), "one"), { size_bytes: 3, created: true });
  assert.equal((await lstat(join(at.workspace, name))).mode & 0o777, 0o644);
  await chmod(join(at.workspace, name), 0o750);
  assert.deepEqual(await write(at, inWorkspace(name), "second"), { size_bytes: 6, created: false });
  assert.equal((await lstat(join(at.workspace, name))).mode & 0o777, 0o750);
  assert.equal(await readFile(join(at.workspace, name), "utf8"), "second");
  await assert.rejects(write(at, inWorkspace(name), "third", true), hasCode("precondition_failed"));
  assert.equal((await write(at, inWorkspace("empty"), Readable.from([]))).size_bytes, 0);
  await assert.rejects(write(at, inWorkspace("täglich"), "x"), hasCode("conflict"));
  await assert.rejects(write(at, inWorkspace("empty/below"), "x"), hasCode("conflict"));
  await assert.rejects(write(at, inWorkspace("n".repeat(300)), "x"), hasCode("invalid_path"));
  await chmod(join(at.workspace, name), 0o444);
  await assert.rejects(write(at, inWorkspace(name), "x"), hasCode("conflict"));
  assert.deepEqual((await readdir(at.workspace)).sort(), ["empty", "täglich"]);
});

test("a file whose content breaks off leaves nothing behind, and what was there stays whole", async () => {
  await using at = await place();
  await writeFile(join(at.workspace, "a"), "whole");
  async function* broken(): AsyncGenerator<Buffer> {
    yield Buffer.alloc(3_000_000, 1);
    throw new AppError({ code: "link_lost", message: "cut" });
  }
  await assert.rejects(write(at, inWorkspace("a"), Readable.from(broken())), hasCode("link_lost"));
  await assert.rejects(write(at, inWorkspace("b"), Readable.from(broken())), hasCode("link_lost"));
  assert.deepEqual(await readdir(at.workspace), ["a"]);
  assert.equal(await readFile(join(at.workspace, "a"), "utf8"), "whole");
});

test("several writers of one name leave the whole content of one of them, and only one of those that want it new wins", async () => {
  await using at = await place();
  const content = (n: number) => Readable.from([Buffer.alloc(700_000, n), Buffer.alloc(700_000, n)]);
  await Promise.all(Array.from({ length: 8 }, (_, n) => write(at, inWorkspace("same"), content(n))));
  const left = await readFile(join(at.workspace, "same"));
  assert.equal(left.length, 1_400_000);
  assert.ok(left.every((byte) => byte === left[0]));
  const tries = await Promise.allSettled(
    Array.from({ length: 8 }, (_, n) => write(at, inWorkspace("new"), content(n), true)),
  );
  assert.equal(tries.filter(({ status }) => status === "fulfilled").length, 1);
  for (const one of tries)
    if (one.status === "rejected") assert.ok(hasCode("precondition_failed")(one.reason));
  assert.deepEqual((await readdir(at.workspace)).sort(), ["new", "same"]);
});

test("what would go over the disk limit is refused, and gives back what it took", async () => {
  await using at = await place();
  let left = 1_000_000;
  const taken = new Map<object, number>();
  const room = {
    async take(bytes: number, by: object) {
      if (bytes > left) return false;
      left -= bytes;
      taken.set(by, (taken.get(by) ?? 0) + bytes);
      return true;
    },
    give(by: object) {
      left += taken.get(by) ?? 0;
      taken.delete(by);
    },
  };
  const content = () => Readable.from([Buffer.alloc(600_000), Buffer.alloc(600_000)]);
  await assert.rejects(
    receiveFile(at, inWorkspace("large"), content(), { only_new: false, room }),
    hasCode("disk_full"),
  );
  assert.equal(left, 1_000_000);
  assert.deepEqual(await readdir(at.workspace), []);
  await assert.rejects(
    unpackAt(at, inWorkspace("sub"), tarOf([{ name: "a", content: "x".repeat(999_999) }]), {
      room,
      signal: never(),
    }),
    hasCode("disk_full"),
  );
  assert.deepEqual(await readdir(join(at.workspace, "sub")), []);
});

test("moving, making and removing do what they say, and refuse to lose anything by the way", async () => {
  await using at = await place();
  const change = (path: string, to: string) =>
    changeFiles(at, { change: "rename", root: "workspace", path, to });
  await write(at, inWorkspace("a"), "a");
  await write(at, inWorkspace("b"), "b");
  await changeFiles(at, { change: "make_folder", ...inWorkspace("d/e") });
  await changeFiles(at, { change: "make_folder", ...inWorkspace("d/e") });
  await assert.rejects(changeFiles(at, { change: "make_folder", ...inWorkspace("a") }), hasCode("conflict"));
  await assert.rejects(change("a", "b"), hasCode("conflict"));
  await assert.rejects(change("d", "d/e/f"), hasCode("conflict"));
  await assert.rejects(change("missing", "x"), hasCode("not_found"));
  await change("a", "new/a");
  await change("d", "moved");
  await change("moved", "moved");
  assert.deepEqual((await readdir(at.workspace, { recursive: true })).sort(), [
    "b",
    "moved",
    "moved/e",
    "new",
    "new/a",
  ]);
  const remove = (path: string, recursive: boolean) =>
    changeFiles(at, { change: "remove", root: "workspace", path, recursive });
  await assert.rejects(remove("moved", false), hasCode("conflict"));
  await remove("moved/e", false);
  await remove("new", true);
  await remove("b", false);
  await assert.rejects(remove("b", false), hasCode("not_found"));
  assert.deepEqual(await readdir(at.workspace), ["moved"]);
});

test("what is no regular file is not read", async () => {
  await using at = await place();
  await promisify(execFile)("mkfifo", [join(at.workspace, "fifo")]);
  for (const path of ["fifo", ""])
    await assert.rejects(readPlace(at, inWorkspace(path), null), hasCode("not_found"));
  await assert.rejects(archivePlace(at, inWorkspace("fifo"), never()), hasCode("not_found"));
  await assert.rejects(write(at, inWorkspace("fifo"), "x"), hasCode("conflict"));
});

test("a folder comes as a tar of what is in it, a file as itself, a large hole included", async () => {
  await using at = await place();
  await write(at, inWorkspace("d/x"), "x");
  await writeFile(join(at.workspace, "d", "hole"), "");
  await truncate(join(at.workspace, "d", "hole"), 200 * 1024 * 1024);
  assert.deepEqual(await namesOf(await archivePlace(at, inWorkspace("d"), never())), ["hole", "x"]);
  const tar = await archivePlace(at, inWorkspace("d/hole"), never());
  let bytes = 0;
  for await (const chunk of tar as AsyncIterable<Buffer>) bytes += chunk.length;
  assert.ok(bytes > 200 * 1024 * 1024);
});

test("a tar is unpacked into a folder that it makes, over what is there, and never outside", async () => {
  await using at = await place();
  const unpack = (where: FilePlace, entries: Parameters<typeof tarOf>[0]) =>
    unpackAt(at, where, tarOf(entries), { room: ENDLESS_ROOM, signal: never() });
  await write(at, inWorkspace("d/a"), "old");
  assert.deepEqual(
    await unpack(inWorkspace("d"), [
      { name: "a", content: "new", mode: 0o755 },
      { name: "b/c", content: "c" },
      { name: "l", type: "symlink", linkname: "/etc" },
    ]),
    { files: 3 },
  );
  assert.equal(await readFile(join(at.workspace, "d/a"), "utf8"), "new");
  assert.equal((await lstat(join(at.workspace, "d/a"))).mode & 0o777, 0o755);
  const bad = { name: "l/x", content: "x" };
  await assert.rejects(unpack(inWorkspace("d"), [bad]), hasCode("invalid_upload"));
  await assert.rejects(
    unpack(inWorkspace(""), [{ name: ".sealwork/x", content: "x" }]),
    hasCode("invalid_path"),
  );
  await assert.rejects(
    unpack(inHome(""), [{ name: "workspace/.sealwork/x", content: "x" }]),
    hasCode("invalid_path"),
  );
  await assert.rejects(unpack(inWorkspace("d/l"), [bad]), hasCode("conflict"));
  assert.deepEqual((await readdir(join(at.workspace, "d"))).sort(), ["a", "b", "l"]);
});

async function textOf(pieces: AsyncIterable<Buffer>): Promise<string> {
  let whole = "";
  for await (const piece of pieces) whole += piece.toString();
  return whole;
}

function tarOf(
  entries: { name: string; content?: string; mode?: number; type?: "symlink"; linkname?: string }[],
): Readable {
  const tar = pack();
  for (const { content, ...header } of entries) tar.entry(header, content ?? "");
  tar.finalize();
  return Readable.from(tar, { objectMode: false });
}

async function namesOf(tar: Readable): Promise<string[]> {
  const names: string[] = [];
  const extraction = extract();
  Readable.from([await buffer(tar)]).pipe(extraction as unknown as NodeJS.WritableStream);
  for await (const entry of extraction) {
    names.push(entry.header.name.replace(/\/$/, ""));
    entry.resume();
  }
  return names.sort();
}
