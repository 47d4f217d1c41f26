import { chmodSync, closeSync, openSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { Kysely } from "kysely";
import type { Store } from "../core/store.ts";
import { KyselyStore } from "./kysely-store.ts";
import { migrate } from "./migrations/migrate.ts";
import { nodeSqliteDialect } from "./node-sqlite-dialect.ts";
import type { Tables } from "./tables.ts";

/** How long a query waits for another process that has the file open (a backup, `sqlite3`), before it fails. */
const BUSY_TIMEOUT_MS = 5000;
/** What the write-ahead log is cut back to after a checkpoint. */
const WAL_KEPT_BYTES = 64 * 1024 * 1024;

/**
 * Opens the store in one SQLite file, making and migrating it as needed; its folder must exist. The file has mode 0600, because
 * requests hold what users pass as `env`; SQLite gives the files beside it the same mode. One process at a time: see state-lock.ts.
 */
export async function openSqliteStore(options: { file: string; clock?: () => Date }): Promise<Store> {
  const { file, clock = () => new Date() } = options;
  const db = new Kysely<Tables>({ dialect: nodeSqliteDialect(openDatabase(file)) });
  try {
    await migrate(db);
  } catch (error) {
    await db.destroy();
    throw error;
  }
  return new KyselyStore(db, clock);
}

function openDatabase(file: string): DatabaseSync {
  closeSync(openSync(file, "a", 0o600));
  chmodSync(file, 0o600);
  const database = new DatabaseSync(file, { enableForeignKeyConstraints: true, timeout: BUSY_TIMEOUT_MS });
  try {
    // FULL syncs the log at every commit (0.3 ms on an SSD, shared by a whole batch). NORMAL would keep every event after a kill -9
    // too, but after a power loss numbers that people have seen already would be given to other events: a seq must never change.
    database.exec("pragma journal_mode = wal");
    database.exec("pragma synchronous = full");
    database.exec(`pragma journal_size_limit = ${WAL_KEPT_BYTES}`);
  } catch (error) {
    database.close();
    throw error;
  }
  return database;
}
