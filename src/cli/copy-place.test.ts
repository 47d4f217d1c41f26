import assert from "node:assert/strict";
import { test } from "node:test";
import { AppError } from "../contract/errors.ts";
import { copyPlace } from "./copy-place.ts";

test("a place in a job has an id before its colon, and lies in the workspace or the home folder", () => {
  const job = (given: string) => {
    const place = copyPlace(given);
    return place.kind === "job" ? [place.job, place.root, place.path] : place.kind;
  };
  const cases: Record<string, string[]> = {
    "last:a/b": ["last", "workspace", "a/b"],
    "last:": ["last", "workspace", ""],
    "last:.": ["last", "workspace", ""],
    "last:a//./b/../c/": ["last", "workspace", "a/c"],
    "ab12:/workspace": ["ab12", "workspace", ""],
    "ab12:/workspace/x y": ["ab12", "workspace", "x y"],
    "ab12:/home/agent/workspace/x": ["ab12", "workspace", "x"],
    "ab12:/home/agent/.bashrc": ["ab12", "home", ".bashrc"],
    "ab12:~/x:y": ["ab12", "home", "x:y"],
    "ab12:~": ["ab12", "home", ""],
    "ab12:~x": ["ab12", "workspace", "~x"],
  };
  for (const [given, expected] of Object.entries(cases)) assert.deepEqual(job(given), expected, given);
  for (const given of ["./a:b", "/x/a:b", "a/b:c", ":x", "plain"]) assert.equal(job(given), "here", given);
  assert.equal(job("-"), "stream");
  for (const given of ["last:/etc/passwd", "last:..", "last:a/../../b", "last:/workspace/../x", "last:~/.."])
    assert.throws(
      () => copyPlace(given),
      (error) => error instanceof AppError && error.code === "usage",
      given,
    );
});

test("the end of a path says whether it is a folder, and whether its content is meant", () => {
  const meaning = (given: string) => {
    const place = copyPlace(given);
    return place.kind === "job" && [place.folder, place.content];
  };
  assert.deepEqual(meaning("last:a"), [false, false]);
  assert.deepEqual(meaning("last:a/"), [true, false]);
  assert.deepEqual(meaning("last:a/."), [true, true]);
  assert.deepEqual(meaning("last:"), [true, false]);
  assert.deepEqual(meaning("last:a."), [false, false]);
});
