import type { Kysely } from "kysely";
import { DEFAULT_MIGRATION_TABLE, type Migration, Migrator } from "kysely/migration";
import type { Tables } from "../tables.ts";
import * as jobsAndEvents from "./0001-jobs-and-events.ts";
import * as listedRequests from "./0002-listed-requests.ts";
import * as signIns from "./0003-sign-ins.ts";
import * as eventsOfAPage from "./0004-events-of-a-page.ts";

/**
 * Every migration by its name, which also orders them. A released one is never changed, and each only adds (tables, columns that may
 * be null or have a default, indexes, of which one may take the place of another), so that the release before it goes on working with
 * the database.
 */
const MIGRATIONS: Record<string, Migration> = {
  "0001-jobs-and-events": jobsAndEvents,
  "0002-listed-requests": listedRequests,
  "0004-events-of-a-page": eventsOfAPage,
  "0003-sign-ins": signIns,
};

type MigrationRow = { [DEFAULT_MIGRATION_TABLE]: { name: string } };

/** Brings the database to the newest schema; does nothing when it is there already. Throws what the failed migration threw. */
export async function migrate(db: Kysely<Tables>): Promise<void> {
  const newer = await migrationsOfNewerReleases(db);
  const migrator = new Migrator({
    db,
    provider: { getMigrations: async () => ({ ...MIGRATIONS, ...newer }) },
  });
  const { error, results } = await migrator.migrateToLatest();
  if (error === undefined) return;
  const failed = results?.find((result) => result.status === "Error")?.migrationName;
  throw new Error(`The database could not be brought to the newest schema${failed ? ` (${failed})` : ""}.`, {
    cause: error,
  });
}

/** The Migrator refuses a database with migrations that it does not know; those that only added something are nothing to refuse. */
async function migrationsOfNewerReleases(db: Kysely<Tables>): Promise<Record<string, Migration>> {
  const tables = await db.introspection.getTables({ withInternalKyselyTables: true });
  if (!tables.some((table) => table.name === DEFAULT_MIGRATION_TABLE)) return {};
  const rows = await db
    .withTables<MigrationRow>()
    .selectFrom(DEFAULT_MIGRATION_TABLE)
    .select("name")
    .execute();
  const newest = Object.keys(MIGRATIONS).sort().at(-1) ?? "";
  const names = rows.map((row) => row.name).filter((name) => name > newest);
  return Object.fromEntries(names.map((name) => [name, { up: async () => {} }]));
}
