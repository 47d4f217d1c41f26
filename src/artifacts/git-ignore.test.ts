import assert from "node:assert/strict";
import { test } from "node:test";
import { GitIgnore } from "./git-ignore.ts";

test("the deepest file that says something wins, and nothing comes back from an ignored folder", () => {
  const rules = new GitIgnore();
  rules.add(".gitignore", "*.log\nout/\n/top\n# comment\n\n!saved.log\nspace\\ \n");
  rules.add("a/.gitignore", "!debug.log\n*.txt\nout/keep\n");
  const ignored = [
    "x.log",
    "b/x.log",
    "out/x",
    "b/out/c/d",
    "top",
    "a/x.txt",
    "a/b/y.txt",
    "a/out/keep",
    "space ",
  ];
  for (const path of ignored) assert.equal(rules.ignores(path), true, path);
  for (const path of ["saved.log", "a/debug.log", "a/top", "x.txt", "out.c", "b/space"])
    assert.equal(rules.ignores(path), false, path);
});

test("a damaged pattern spoils no other", () => {
  const rules = new GitIgnore();
  rules.add(".gitignore", "[\n[z-a]\n\\\n***\n(?<=x)\n[[:nope:]]\n!\n/\n*.log\n");
  assert.equal(rules.ignores("a.log"), true);
});
