import type { Kysely } from "kysely";

/** A table of its own, because a list that read the short part out of a large row would still read all of that row's pages. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable("listed_requests")
    .addColumn("job_id", "text", (column) =>
      column.primaryKey().notNull().references("jobs.job_id").onDelete("cascade"),
    )
    .addColumn("details", "text", (column) => column.notNull())
    .execute();
}
