import assert from "node:assert/strict";
import { test } from "node:test";
import { INPUT_FILES_MAX, UPLOAD_MAX_BYTES } from "../../../src/contract/upload-bounds.ts";
import { groupsOf, type InputFile, type Inputs, inputsFault, withFiles, withoutPath } from "./inputs.ts";

const NONE: Inputs = { files: [], archive: null };
const file = (path: string, size = 1): InputFile => {
  const made = new File([], path);
  Object.defineProperty(made, "size", { value: size });
  return { path, file: made };
};
const paths = ({ files }: Inputs) => files.map(({ path }) => path);

test("a file at the path of another takes its place, and a folder is removed with all below it alone", () => {
  const inputs = withFiles(withFiles(NONE, [file("b/x"), file("a"), file("b2/x")]), [
    file("a", 9),
    file("b/y"),
  ]);
  assert.deepEqual(paths(inputs), ["a", "b/x", "b/y", "b2/x"]);
  assert.equal(inputs.files[0]?.file.size, 9);
  assert.deepEqual(paths(withoutPath(inputs, "b")), ["a", "b2/x"]);
  assert.deepEqual(
    groupsOf(inputs.files).map(({ path, files, folder }) => [path, files.length, folder]),
    [
      ["a", 1, false],
      ["b", 2, true],
      ["b2", 1, true],
    ],
  );
});

test("more than a server takes is told before it is sent", () => {
  const many = Array.from({ length: INPUT_FILES_MAX }, (_, n) => file(`f${n}`));
  assert.equal(inputsFault(withFiles(NONE, many)), null);
  assert.match(
    inputsFault(withFiles(NONE, [...many, file("one more")])) ?? "",
    /10,001 files; at most 10,000/,
  );
  assert.equal(inputsFault({ files: [], archive: file("a.zip", UPLOAD_MAX_BYTES) }), null);
  assert.match(
    inputsFault({ files: [file("x")], archive: file("a.zip", UPLOAD_MAX_BYTES) }) ?? "",
    /at most 2 GiB/,
  );
});
