import type { Kysely } from "kysely";
import type { SignInRecord, SignInStore } from "../core/store.ts";
import type { Tables } from "./tables.ts";

/** The rows of `sign_ins`: few, small, and read once at the start. */
export function signInRows(db: Kysely<Tables>): SignInStore {
  return {
    async signIns() {
      const rows = await db
        .selectFrom("sign_ins")
        .selectAll()
        .orderBy("made_at")
        .orderBy("token_id")
        .execute();
      // Those of the platform have no prototype.
      return rows.map((row) => ({ ...row }));
    },
    async insertSignIn(record: SignInRecord) {
      await db.insertInto("sign_ins").values(record).execute();
    },
    markSignInsUsed: (used) =>
      db.transaction().execute(async (trx) => {
        for (const { token_id, last_used_at } of used)
          await trx.updateTable("sign_ins").set({ last_used_at }).where("token_id", "=", token_id).execute();
      }),
    async removeSignIns(token_ids) {
      if (token_ids.length > 0) await db.deleteFrom("sign_ins").where("token_id", "in", token_ids).execute();
    },
  };
}
