import assert from "node:assert/strict";
import { it } from "node:test";
import type { SignInRecord, SignInStore } from "../core/store.ts";

const FIRST: SignInRecord = {
  token_id: "019f0000-0000-7000-8000-000000000001",
  kind: "token",
  name: "Zoë’s laptop",
  secret_sha256: "a".repeat(64),
  made_at: "2026-05-01T10:00:00.000Z",
  last_used_at: null,
  expires_at: "2027-05-01T10:00:00.000Z",
  made_by: null,
};
const SECOND: SignInRecord = {
  ...FIRST,
  token_id: "019f0000-0000-7000-8000-000000000002",
  kind: "browser",
  secret_sha256: "b".repeat(64),
  made_at: "2026-05-02T10:00:00.000Z",
  last_used_at: "2026-05-03T10:00:00.000Z",
  expires_at: null,
  made_by: FIRST.token_id,
};

/** What every store of sign-ins must do, also one that keeps nothing else. */
export function testSignIns(open: () => Promise<SignInStore & AsyncDisposable>): void {
  it("gives sign-ins back exactly as they were stored, oldest first", async () => {
    await using store = await open();
    assert.deepEqual(await store.signIns(), []);
    await store.insertSignIn(SECOND);
    await store.insertSignIn(FIRST);
    assert.deepEqual(await store.signIns(), [FIRST, SECOND]);
  });

  it("refuses a second one with the same id or the same secret, and keeps the first", async () => {
    await using store = await open();
    await store.insertSignIn(FIRST);
    await assert.rejects(store.insertSignIn({ ...SECOND, token_id: FIRST.token_id }));
    await assert.rejects(store.insertSignIn({ ...SECOND, secret_sha256: FIRST.secret_sha256 }));
    assert.deepEqual(await store.signIns(), [FIRST]);
  });

  it("notes when those were used that are there", async () => {
    await using store = await open();
    await store.insertSignIn(FIRST);
    await store.insertSignIn(SECOND);
    const last_used_at = "2026-06-01T10:00:00.000Z";
    await store.markSignInsUsed([
      { token_id: FIRST.token_id, last_used_at },
      { token_id: "019f0000-0000-7000-8000-000000000009", last_used_at },
    ]);
    await store.markSignInsUsed([]);
    assert.deepEqual(await store.signIns(), [{ ...FIRST, last_used_at }, SECOND]);
  });

  it("removes those that are named, and none when none is", async () => {
    await using store = await open();
    await store.insertSignIn(FIRST);
    await store.insertSignIn(SECOND);
    await store.removeSignIns([]);
    assert.equal((await store.signIns()).length, 2);
    await store.removeSignIns([FIRST.token_id, "019f0000-0000-7000-8000-000000000009"]);
    assert.deepEqual(await store.signIns(), [SECOND]);
    // Its secret is free again, as it is of nobody.
    await store.insertSignIn(FIRST);
  });
}
