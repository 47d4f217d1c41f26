import assert from "node:assert/strict";
import { test } from "node:test";
import { compareVersions } from "./version.ts";

test("versions of the same release and of neighbouring ones work together", () => {
  assert.equal(compareVersions({ client: "1.2.3", server: "1.2.9" }).compatible, true);
  assert.equal(compareVersions({ client: "1.2.0", server: "1.3.0" }).compatible, true);
  assert.equal(compareVersions({ client: "1.3.0", server: "1.2.0" }).compatible, true);
});

test("of versions further apart the older side is to be upgraded", () => {
  const old_client = compareVersions({ client: "0.1.0", server: "0.3.0" });
  assert.ok(
    !old_client.compatible &&
      old_client.upgrade === "client" &&
      /upgrade the client/.test(old_client.message),
  );
  const old_server = compareVersions({ client: "2.0.0", server: "1.9.0" });
  assert.ok(!old_server.compatible && old_server.upgrade === "server");
});

test("a version that is no number is not held against anybody", () => {
  assert.equal(compareVersions({ client: "0.1.0", server: "nightly" }).compatible, true);
});
