import assert from "node:assert/strict";
import { test } from "node:test";
import { patchFiles } from "./patch-files.ts";

const PATCH = `diff --git a/notes.txt b/notes.txt
index 1111111111111111111111111111111111111111..2222222222222222222222222222222222222222 100644
--- a/notes.txt
+++ b/notes.txt
@@ -1,2 +1,2 @@
-this is a draft
+this is final
 keep this line
diff --git a/a b.txt b/a b.txt
new file mode 100755
index 0000000000000000000000000000000000000000..2222222222222222222222222222222222222222
--- /dev/null
+++ b/a b.txt\t
@@ -0,0 +1,2 @@
+one
+diff --git a/fake b/fake
diff --git a/old.txt b/old.txt
deleted file mode 100644
index 2222222222222222222222222222222222222222..0000000000000000000000000000000000000000
--- a/old.txt
+++ /dev/null
@@ -1 +0,0 @@
-gone
diff --git a/logo.png b/logo.png
new file mode 100644
index 0000000000000000000000000000000000000000..2222222222222222222222222222222222222222
GIT binary patch
literal 3
KcmZ+-

diff --git a/run.sh b/run.sh
old mode 100644
new mode 100755
diff --git "a/tab\\tname" "b/tab\\tname"
new file mode 100644
index 0000000000000000000000000000000000000000..e69de29bb2d1d6434b8b29ae775ad8c2e48c5391
`;

test("each file of a patch is told with what happened to it, whatever its lines say", () => {
  assert.deepEqual(
    patchFiles(PATCH).map(({ diff, ...file }) => file),
    [
      { path: "notes.txt", change: "modified", note: null, added: 1, removed: 1 },
      { path: "a b.txt", change: "created", note: "executable", added: 2, removed: 0 },
      { path: "old.txt", change: "deleted", note: null, added: 0, removed: 1 },
      { path: "logo.png", change: "created", note: "binary", added: 0, removed: 0 },
      { path: "run.sh", change: "modified", note: "mode 100644 → 100755", added: 0, removed: 0 },
      { path: "tab\tname", change: "created", note: null, added: 0, removed: 0 },
    ],
  );
});

test("an empty patch has no files, and together the files are the patch", () => {
  assert.deepEqual(patchFiles(""), []);
  assert.equal(
    patchFiles(PATCH)
      .map(({ diff }) => diff)
      .join(""),
    PATCH,
  );
});
