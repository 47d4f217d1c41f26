import type { Kysely } from "kysely";

/** `owner` and `lease_until` are there from the first day, so that several orchestrators can share a database without a change. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await createJobs(db);
  await createEvents(db);
  await createMemory(db);
}

async function createJobs(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable("jobs")
    .addColumn("job_id", "text", (column) => column.primaryKey().notNull())
    .addColumn("owner", "text", (column) => column.notNull())
    .addColumn("lease_until", "text")
    .addColumn("scheduled_at", "text", (column) => column.notNull())
    .addColumn("ended_at", "text")
    .addColumn("status", "text", (column) => column.notNull())
    .addColumn("phase", "text", (column) => column.notNull())
    .addColumn("last_seq", "integer", (column) => column.notNull())
    .addColumn("state", "text", (column) => column.notNull())
    .execute();
  await db.schema.createIndex("jobs_by_age").on("jobs").columns(["scheduled_at", "job_id"]).execute();
  await db.schema
    .createIndex("jobs_by_status")
    .on("jobs")
    .columns(["status", "scheduled_at", "job_id"])
    .execute();
  await db.schema
    .createIndex("jobs_by_phase")
    .on("jobs")
    .columns(["phase", "scheduled_at", "job_id"])
    .execute();
  await db.schema.createIndex("jobs_by_end").on("jobs").columns(["ended_at", "job_id"]).execute();

  await db.schema
    .createTable("requests")
    .addColumn("job_id", "text", (column) =>
      column.primaryKey().notNull().references("jobs.job_id").onDelete("cascade"),
    )
    .addColumn("details", "text", (column) => column.notNull())
    .addColumn("prompt_search", "text", (column) => column.notNull())
    .execute();

  await db.schema
    .createTable("labels")
    .addColumn("job_id", "text", (column) => column.notNull().references("jobs.job_id").onDelete("cascade"))
    .addColumn("name", "text", (column) => column.notNull())
    .addColumn("value", "text", (column) => column.notNull())
    .addPrimaryKeyConstraint("labels_key", ["job_id", "name"])
    .execute();
  await db.schema.createIndex("labels_by_name").on("labels").columns(["name", "value", "job_id"]).execute();
}

async function createEvents(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable("events")
    .addColumn("cursor", "integer", (column) => column.primaryKey().autoIncrement().notNull())
    .addColumn("job_id", "text", (column) => column.notNull().references("jobs.job_id"))
    .addColumn("seq", "integer", (column) => column.notNull())
    .addColumn("at", "text", (column) => column.notNull())
    .addColumn("type", "text", (column) => column.notNull())
    .addColumn("is_output", "integer", (column) => column.notNull())
    .addColumn("epoch", "text")
    .addColumn("n", "integer")
    .addColumn("data", "text", (column) => column.notNull())
    .execute();
  await db.schema.createIndex("events_by_seq").unique().on("events").columns(["job_id", "seq"]).execute();
  await db.schema
    .createIndex("events_by_runner")
    .unique()
    .on("events")
    .columns(["job_id", "epoch", "n"])
    .where("epoch", "is not", null)
    .execute();
  await db.schema
    .createIndex("events_by_output_and_seq")
    .on("events")
    .columns(["job_id", "is_output", "seq"])
    .execute();
  await db.schema
    .createIndex("events_by_output_and_cursor")
    .on("events")
    .columns(["is_output", "cursor"])
    .execute();
}

async function createMemory(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable("idempotency_keys")
    .addColumn("key", "text", (column) => column.primaryKey().notNull())
    .addColumn("fingerprint", "text", (column) => column.notNull())
    .addColumn("job_id", "text", (column) => column.notNull().references("jobs.job_id").onDelete("cascade"))
    .execute();
  await db.schema.createIndex("idempotency_keys_by_job").on("idempotency_keys").column("job_id").execute();

  await db.schema
    .createTable("removed_jobs")
    .addColumn("position", "integer", (column) => column.primaryKey().autoIncrement().notNull())
    .addColumn("job_id", "text", (column) => column.notNull().unique())
    .addColumn("removed_at", "text", (column) => column.notNull())
    .execute();
}
