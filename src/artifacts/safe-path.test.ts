import assert from "node:assert/strict";
import { test } from "node:test";
import { PathTree } from "./path-tree.ts";
import { judgePath, judgeSymlink, printable } from "./safe-path.ts";

test("a path comes out relative and without slash at its end", () => {
  assert.deepEqual(judgePath("./a/b c/ü"), { path: "a/b c/ü", folder: false });
  assert.deepEqual(judgePath("././a/"), { path: "a", folder: true });
  assert.deepEqual(judgePath("..a/b.."), { path: "..a/b..", folder: false });
});

test("a path that leaves the workspace or that some system cannot keep is a problem", () => {
  for (const bad of [
    "",
    "./",
    "/",
    "..",
    "../a",
    "a/..",
    "a/../b",
    "./../a",
    "a//b",
    "a/.",
    "/a",
    "c:a",
    "a\\b",
    "a\0",
    "a\r",
  ])
    assert.ok("problem" in judgePath(bad), JSON.stringify(bad));
  assert.ok("path" in judgePath("é".repeat(127)));
  assert.ok("problem" in judgePath("é".repeat(128)));
});

test("a symlink's target may climb as far as the root of the workspace, and only at its start", () => {
  const good: [string, string][] = [
    ["a", "b"],
    ["a", "./b/c"],
    ["d/a", "../b"],
    ["d/e/a", "../.."],
    ["d/a", "x/y/"],
  ];
  for (const [path, target] of good) assert.equal(judgeSymlink(path, target), null, `${path} -> ${target}`);
  const bad: [string, string][] = [
    ["a", ".."],
    ["a", "../b"],
    ["d/a", "../../b"],
    ["a", "/b"],
    ["d/a", "x/../y"],
    ["a", ""],
    ["a", "\\\\h"],
  ];
  for (const [path, target] of bad) assert.notEqual(judgeSymlink(path, target), null, `${path} -> ${target}`);
});

test("a name in a message has no control characters, no change of direction and an end", () => {
  assert.equal(printable("a\u001b[2Jb\u202ec\ud800"), "a?[2Jb?c\ufffd");
  assert.ok(printable("x".repeat(10_000)).length < 300);
});

test("a tree of paths is bounded in entries and in the folders that they imply", () => {
  const tree = new PathTree(10);
  assert.equal(tree.place("a/b/c", "file"), null);
  assert.equal(tree.place("a", "folder"), null);
  assert.match(tree.place("a", "folder") ?? "", /twice/);
  assert.match(tree.place("1/2/3/4/5/6/7/8/9", "file") ?? "", /too many/);
  assert.equal(tree.place("a/b/d", "file"), null);
});
