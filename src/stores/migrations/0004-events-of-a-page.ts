import type { Kysely } from "kysely";

/**
 * The type in the index, so that events of a few types are found without a look at all the others; it takes the place of the index without
 * the type. And one of output by job and cursor, for readers of all jobs who want the output of some; it covers a part of the
 * rows, so a query must name that part (`is_output = 1`, no parameter) to be served by it.
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createIndex("events_by_output_seq_and_type")
    .on("events")
    .columns(["job_id", "is_output", "seq", "type"])
    .execute();
  await db.schema.dropIndex("events_by_output_and_seq").execute();
  await db.schema
    .createIndex("output_by_job_and_cursor")
    .on("events")
    .columns(["job_id", "is_output", "cursor"])
    .where("is_output", "=", 1)
    .execute();
}
