import assert from "node:assert/strict";
import { test } from "node:test";
import { countDiff, readDiff } from "./diff-lines.ts";

const TWO_HUNKS = `--- a/notes.sql
+++ b/notes.sql
@@ -2,3 +2,4 @@
 select 1;
--- an old comment
+++ a new one
+select 2;
 select 3;
@@ -40 +41 @@ create table t
-drop table t;
+keep table t;
`;

test("lines are numbered on the side that has them, and a removed comment is no header", () => {
  const lines = readDiff(TWO_HUNKS);
  assert.deepEqual(lines.slice(0, 6), [
    { kind: "skipped", count: 1, text: "" },
    { kind: "same", old: 2, new: 2, text: "select 1;" },
    { kind: "removed", old: 3, new: null, text: "-- an old comment" },
    { kind: "added", old: null, new: 3, text: "++ a new one" },
    { kind: "added", old: null, new: 4, text: "select 2;" },
    { kind: "same", old: 4, new: 5, text: "select 3;" },
  ]);
  assert.deepEqual(lines.slice(6), [
    { kind: "skipped", count: 35, text: "create table t" },
    { kind: "removed", old: 40, new: null, text: "drop table t;" },
    { kind: "added", old: null, new: 41, text: "keep table t;" },
  ]);
  assert.deepEqual(countDiff(TWO_HUNKS), { added: 3, removed: 2 });
});

test("a new file begins with its first line, and a missing line break at its end is said", () => {
  const diff = "--- /dev/null\n+++ b/a.txt\n@@ -0,0 +1,2 @@\n+one\n+two\n\\ No newline at end of file\n";
  assert.deepEqual(readDiff(diff), [
    { kind: "added", old: null, new: 1, text: "one" },
    { kind: "added", old: null, new: 2, text: "two" },
    { kind: "note", text: "No newline at end of file" },
  ]);
  assert.deepEqual(countDiff(diff), { added: 2, removed: 0 });
});

test("a diff that was cut is read as far as it goes, one of a binary file or of nothing is no fault", () => {
  assert.deepEqual(readDiff("@@ -1,9 +1,9 @@\n same\n+ad"), [
    { kind: "same", old: 1, new: 1, text: "same" },
    { kind: "added", old: null, new: 2, text: "ad" },
  ]);
  assert.equal(readDiff("index 1..2\nGIT binary patch\nliteral 9\nzcm+\n")[0]?.kind, "note");
  assert.deepEqual(readDiff(""), []);
  assert.deepEqual(countDiff("new file mode 100644\n"), { added: 0, removed: 0 });
});
