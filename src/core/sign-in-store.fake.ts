import assert from "node:assert/strict";
import type { SignInRecord, SignInStore } from "./store.ts";

/** Sign-ins in memory, for tests of what uses them; it passes the contract of the real store. */
export class FakeSignInStore implements SignInStore, AsyncDisposable {
  readonly rows = new Map<string, SignInRecord>();
  /** How often something was asked of it. */
  calls = 0;
  /** What the next change throws instead. */
  fault: Error | null = null;

  async signIns(): Promise<SignInRecord[]> {
    this.calls += 1;
    return [...this.rows.values()].sort((a, b) => (a.made_at < b.made_at ? -1 : 1));
  }

  async insertSignIn(record: SignInRecord): Promise<void> {
    this.#change();
    const known = [...this.rows.values()];
    assert(!known.some((row) => row.token_id === record.token_id), "The id is taken.");
    assert(!known.some((row) => row.secret_sha256 === record.secret_sha256), "The secret is taken.");
    this.rows.set(record.token_id, { ...record });
  }

  async markSignInsUsed(used: readonly Pick<SignInRecord, "token_id" | "last_used_at">[]): Promise<void> {
    this.#change();
    for (const { token_id, last_used_at } of used) {
      const row = this.rows.get(token_id);
      if (row !== undefined) row.last_used_at = last_used_at;
    }
  }

  async removeSignIns(token_ids: readonly string[]): Promise<void> {
    this.#change();
    for (const token_id of token_ids) this.rows.delete(token_id);
  }

  #change(): void {
    this.calls += 1;
    const { fault } = this;
    this.fault = null;
    if (fault !== null) throw fault;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.rows.clear();
  }
}
