import assert from "node:assert/strict";
import { test } from "node:test";
import type { Change } from "./change-look.ts";
import { editedFiles } from "./event-files.ts";

const edit = (at: number, path: string, change: Change, diff: string | null = null) => ({
  at,
  data: { path, change, size_bytes: 1, blob: null, diff, diff_blob: null },
});
const ONE_MORE = "--- a/x\n+++ b/x\n@@ -1 +1,2 @@\n one\n+two\n";

test("changes come together by file, the latest first, and a file that was made and changed was made", () => {
  const files = editedFiles(
    [
      edit(1, "a", "created", ONE_MORE),
      edit(2, "b", "modified"),
      edit(3, "a", "modified", ONE_MORE),
      edit(4, "c", "deleted"),
      edit(5, "c", "created"),
      edit(6, "b", "deleted"),
    ],
    6,
  );
  assert.deepEqual(
    files.map(({ path, change, edits, added }) => ({ path, change, edits: edits.length, added })),
    [
      { path: "b", change: "deleted", edits: 2, added: 0 },
      { path: "c", change: "modified", edits: 2, added: 0 },
      { path: "a", change: "created", edits: 2, added: 2 },
    ],
  );
});

test("at an earlier moment later changes are not there yet", () => {
  const files = editedFiles([edit(1, "a", "created"), edit(2, "a", "deleted")], 1);
  assert.equal(files[0]?.change, "created");
});
