import assert from "node:assert/strict";
import {
  chmod,
  link,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  stat,
  symlink,
  truncate,
  writeFile,
} from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { applyPatch } from "diff";
import { compileReaper } from "../../process/compiled-reaper.fake.ts";
import { toolsAt } from "../tools-fixture.ts";

let reaper: Awaited<ReturnType<typeof compileReaper>>;
before(async () => {
  reaper = await compileReaper();
});
after(() => reaper[Symbol.asyncDispose]());

const open = (given?: Parameters<typeof toolsAt>[1]) =>
  toolsAt({ reaper_path: reaper.path, folder: reaper.folder }, given);
type Called = Awaited<ReturnType<Awaited<ReturnType<typeof open>>["call"]>>;

function assertRefused(called: Called, why: RegExp): void {
  assert.equal(called.exit_code, 1, called.for_model);
  assert.match(called.for_model, /^Error: /);
  assert.match(called.for_model, why);
  assert.ok(!called.events.some((event) => event.type === "file.changed"));
}

function changeIn(called: Called) {
  const found = called.events.find((event) => event.type === "file.changed");
  assert.ok(found?.type === "file.changed", called.for_model);
  return found.data;
}

test("a file is written with its folders, and read again with line numbers", async () => {
  await using tools = await open();
  const written = await tools.call("write_file", { path: "src/a.txt", content: "one\ntwo\n" });
  assert.match(written.for_model, /^Created src\/a\.txt \(8 bytes\)/);
  const change = changeIn(written);
  assert.deepEqual([change.path, change.change, change.size_bytes], ["src/a.txt", "created", 8]);
  assert.equal(await readFile(join(tools.workspace, "src/a.txt"), "utf8"), "one\ntwo\n");
  const read = await tools.call("read_file", { path: "src/a.txt" });
  assert.equal(read.for_model, "     1\tone\n     2\ttwo");
});

test("a file that is replaced keeps its mode, and its change comes as a diff; no other name of it changes", async () => {
  await using tools = await open();
  const path = join(tools.workspace, "run.sh");
  await writeFile(path, "old\n");
  await chmod(path, 0o750);
  await link(path, join(tools.workspace, "other"));
  const called = await tools.call("write_file", { path, content: "new\n" });
  assert.equal((await stat(path)).mode & 0o777, 0o750);
  assert.equal(changeIn(called).path, "run.sh");
  assert.equal(applyPatch("old\n", changeIn(called).diff ?? ""), "new\n");
  assert.equal(await readFile(join(tools.workspace, "other"), "utf8"), "old\n");
  assert.deepEqual((await readdir(tools.workspace)).sort(), ["other", "run.sh"]);
});

test("home is within reach, what lies outside is not, by names or by symlinks, to read or to write", async () => {
  await using tools = await open();
  const outside = await mkdtemp(join(reaper.folder, "outside-"));
  await writeFile(join(outside, "secret"), "s");
  await symlink(outside, join(tools.workspace, "out"));
  await symlink(join(outside, "secret"), join(tools.workspace, "file"));
  await symlink(join(outside, "not-there"), join(tools.workspace, "dangling"));
  await tools.call("write_file", { path: "~/notes.txt", content: "n" });
  assert.equal(await readFile(join(tools.home, "notes.txt"), "utf8"), "n");
  for (const path of [
    "out/secret",
    "file",
    "../../x",
    "/etc/passwd",
    "out",
    `${outside}/secret`,
    "dangling",
  ]) {
    assertRefused(await tools.call("read_file", { path }), /outside|nowhere/);
    assertRefused(await tools.call("write_file", { path, content: "x" }), /outside|nowhere/);
    assertRefused(await tools.call("edit_file", { path, old_text: "s", new_text: "t" }), /outside|nowhere/);
    assertRefused(await tools.call("list_files", { path }), /outside|nowhere/);
    assertRefused(await tools.call("search_files", { path, pattern: "s" }), /outside|nowhere/);
  }
  assertRefused(await tools.call("write_file", { path: "out/new/file", content: "x" }), /outside/);
  assert.deepEqual(await readdir(outside), ["secret"]);
  assert.equal(await readFile(join(outside, "secret"), "utf8"), "s");
});

test("a symlink is not written through, and a folder is no file", async () => {
  await using tools = await open();
  await writeFile(join(tools.workspace, "real"), "r");
  await symlink("real", join(tools.workspace, "link"));
  await mkdir(join(tools.workspace, "folder"));
  assertRefused(await tools.call("write_file", { path: "link", content: "x" }), /symlink to "real"/);
  assertRefused(await tools.call("write_file", { path: "folder", content: "x" }), /no file/);
  assertRefused(await tools.call("write_file", { path: ".", content: "x" }), /is a folder/);
  assertRefused(await tools.call("write_file", { path: "real/below", content: "x" }), /nowhere/);
  assertRefused(await tools.call("read_file", { path: "folder" }), /list_files/);
  assert.equal((await tools.call("read_file", { path: "link" })).for_model, "     1\tr");
});

test("of what is Sealwork's own, only the notes may be written", async () => {
  await using tools = await open();
  for (const path of [
    ".sealwork/result.json",
    ".sealwork",
    "~/.sealwork/kernel.json",
    "./x/../.sealwork/notes.md/x",
  ])
    assertRefused(await tools.call("write_file", { path, content: "x" }), /reserved|nowhere/);
  await tools.call("write_file", { path: ".sealwork/notes.md", content: "plan\n" });
  assert.equal(await readFile(join(tools.workspace, ".sealwork/notes.md"), "utf8"), "plan\n");
});

test("a read-only file is not replaced", async () => {
  await using tools = await open();
  const path = join(tools.workspace, "fixed");
  await writeFile(path, "f");
  await chmod(path, 0o444);
  assertRefused(await tools.call("write_file", { path: "fixed", content: "x" }), /read-only/);
});

test("an edit replaces the one exact match", async () => {
  await using tools = await open();
  await writeFile(join(tools.workspace, "a.py"), "def f():\n    return 1\n\ndef g():\n    return 1\n");
  const twice = await tools.call("edit_file", { path: "a.py", old_text: "return 1", new_text: "return 2" });
  assertRefused(twice, /2 times \(lines 2, 5\)/);
  const one = { path: "a.py", old_text: "def g():\n    return 1", new_text: "def g():\n    return $& 2" };
  const called = await tools.call("edit_file", one);
  assert.match(called.for_model, /^Edited a\.py at line 4/);
  const content = await readFile(join(tools.workspace, "a.py"), "utf8");
  assert.equal(content, "def f():\n    return 1\n\ndef g():\n    return $& 2\n");
  assert.match(changeIn(called).diff ?? "", /- {4}return 1\n\+ {4}return \$& 2\n/);
  const all = { path: "a.py", old_text: "return", new_text: "yield", replace_all: true };
  assert.match((await tools.call("edit_file", all)).for_model, /at 2 places/);
});

test("an edit that does not match shows the lines that come nearest", async () => {
  await using tools = await open();
  await writeFile(join(tools.workspace, "a.js"), "function first() {\n\treturn compute(value);\n}\n");
  const spaces = { path: "a.js", old_text: "    return compute(value);\n  }", new_text: "" };
  assertRefused(
    await tools.call("edit_file", spaces),
    /white space only:\n {5}2\t\treturn compute\(value\);\n {5}3\t\}/,
  );
  const misspelt = { path: "a.js", old_text: "return compute(values)", new_text: "" };
  assertRefused(await tools.call("edit_file", misspelt), /nearest[\s\S]*2\t\treturn compute\(value\);/);
  const nothing = { path: "a.js", old_text: "zzzz", new_text: "" };
  assertRefused(await tools.call("edit_file", nothing), /Nothing in its 4 lines is like/);
  const missing = { path: "b.js", old_text: "x", new_text: "y" };
  assertRefused(await tools.call("edit_file", missing), /There is no file b\.js/);
});

test("a file whose lines end in CR LF is edited in its own way", async () => {
  await using tools = await open();
  await writeFile(join(tools.workspace, "w.txt"), "a\r\nb\r\nc\r\n");
  await tools.call("edit_file", { path: "w.txt", old_text: "a\nb", new_text: "x\ny" });
  assert.equal(await readFile(join(tools.workspace, "w.txt"), "utf8"), "x\r\ny\r\nc\r\n");
});

test("what is no text, or too large, is told and not edited", async () => {
  await using tools = await open();
  await writeFile(join(tools.workspace, "b.bin"), Buffer.from([1, 0, 2]));
  await writeFile(join(tools.workspace, "latin"), Buffer.from([0x61, 0xe9]));
  await writeFile(join(tools.workspace, "large"), "");
  await truncate(join(tools.workspace, "large"), 5 * 1024 * 1024);
  assertRefused(await tools.call("read_file", { path: "b.bin" }), /no text \(3 bytes\)/);
  assertRefused(
    await tools.call("edit_file", { path: "latin", old_text: "a", new_text: "b" }),
    /no text in UTF-8/,
  );
  assertRefused(
    await tools.call("edit_file", { path: "large", old_text: "a", new_text: "b" }),
    /5242880 bytes/,
  );
});

test("a picture is given to a model that sees", async () => {
  await using tools = await open();
  const png = Buffer.from(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==",
    "base64",
  );
  await writeFile(join(tools.workspace, "p.png"), png);
  const { images, for_model } = await tools.call("read_file", { path: "p.png" });
  assert.deepEqual(images, [{ mime: "image/png", base64: png.toString("base64") }]);
  assert.match(for_model, /image\/png/);
});

test("a long file is read in pieces, and long lines are cut", async () => {
  await using tools = await open();
  const lines = Array.from({ length: 5000 }, (_, index) => `line ${index + 1}`);
  lines[3999] = "x".repeat(100_000);
  await writeFile(join(tools.workspace, "long"), lines.join("\n"));
  const first = await tools.call("read_file", { path: "long" });
  assert.match(
    first.for_model,
    /^ {5}1\tline 1\n[\s\S]*\n {2}2000\tline 2000\n\(more follows: read on with start_line 2001\)$/,
  );
  const middle = await tools.call("read_file", { path: "long", start_line: 3999, lines: 3 });
  assert.match(middle.for_model, /^ {2}3999\tline 3999\n {2}4000\tx{2000}…\n {2}4001\tline 4001\n\(more/);
  const end = await tools.call("read_file", { path: "long", start_line: 4999 });
  assert.equal(end.for_model, "  4999\tline 4999\n  5000\tline 5000");
  const beyond = await tools.call("read_file", { path: "long", start_line: 9000 });
  assert.equal(beyond.for_model, "(the file has 5000 lines)");
});

test("a folder is listed to a depth, without what is much and not ours", async () => {
  await using tools = await open();
  for (const folder of ["src/deep/er", "node_modules/x"])
    await mkdir(join(tools.workspace, folder), { recursive: true });
  await writeFile(join(tools.workspace, "src/deep/er/f"), "1");
  await writeFile(join(tools.workspace, "README.md"), "12345");
  await symlink("README.md", join(tools.workspace, "link"));
  const { for_model } = await tools.call("list_files", {});
  assert.equal(for_model, "./\nREADME.md 5\nlink -> README.md\nnode_modules/\nsrc/\nsrc/deep/");
  const deep = await tools.call("list_files", { path: "src", depth: 5 });
  assert.equal(deep.for_model, "src/\ndeep/\ndeep/er/\ndeep/er/f 1");
});

test("a folder of very many entries is cut, which is said", async () => {
  await using tools = await open();
  await Promise.all(Array.from({ length: 1500 }, (_, n) => writeFile(join(tools.workspace, `f${n}`), "")));
  const { for_model } = await tools.call("list_files", {});
  assert.equal(for_model.split("\n").length, 1 + 1000 + 1);
  assert.match(for_model, /more than 1000 entries/);
});

test("without ripgrep files are searched for plain text", async () => {
  await using tools = await open({ env: { PATH: "/nowhere" } });
  await mkdir(join(tools.workspace, "a"));
  await writeFile(join(tools.workspace, "a/f.txt"), "one\nA (b) c\n");
  await writeFile(join(tools.workspace, "binary"), "A (b)\0");
  const { for_model } = await tools.call("search_files", { pattern: "a (B)", ignore_case: true });
  assert.equal(
    for_model,
    "(this image has no ripgrep (rg): the pattern was taken as plain text)\na/f.txt:2:A (b) c",
  );
  assert.equal(
    (await tools.call("search_files", { pattern: "zz", literal: true })).for_model,
    "No line matches.",
  );
});
