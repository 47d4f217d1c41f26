import assert from "node:assert/strict";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";
import { Client } from "./client.ts";
import { FakeServer } from "./fake-server.fake.ts";
import { folderArchive } from "./folder-archive.ts";
import { type FolderListing, staysInside } from "./folder-listing.ts";
import { multipartBody } from "./multipart.ts";

test("a file that vanishes while it is sent stops the upload with a sentence about it, not about the server", async () => {
  await using server = await FakeServer.start();
  const gone = {
    kind: "file" as const,
    path: "gone",
    size_bytes: 1,
    executable: false,
    modified_at: new Date(),
  };
  const folder = path.join(tmpdir(), "sealwork-does-not-exist");
  const listing: FolderListing = { folder, entries: [gone], size_bytes: 1, notes: [], by_git: false };
  const open = () => folderArchive(listing);
  const body = multipartBody([{ name: "archive", filename: "a.zip", content_type: "application/zip", open }]);
  const client = new Client({ endpoint: { url: server.url, token: null }, relocate: null });
  await assert.rejects(client.schedule({ prompt: "x" }, body, new AbortController().signal), {
    code: "usage",
    message: /could not be sent: ENOENT/,
  });
});

test("a name that no header can carry is refused before anything is sent", () => {
  const part = { name: "files", content_type: "text/plain", open: async function* () {} };
  for (const filename of ['a"b', "a\nb", "a\\b"]) {
    assert.throws(() => multipartBody([{ ...part, filename }]), { code: "usage" });
  }
});

test("a link stays inside only when its target does, read from the link's own folder", () => {
  assert.equal(staysInside("a/b/link", "../../c"), true);
  assert.equal(staysInside("a/b/link", "../../../c"), false);
  assert.equal(staysInside("link", "/etc/passwd"), false);
  assert.equal(staysInside("link", ".."), false);
  assert.equal(staysInside("link", "x/../.."), false);
  assert.equal(staysInside("link", ""), false);
});
