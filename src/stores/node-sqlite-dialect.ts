import assert from "node:assert/strict";
import type { DatabaseSync, SQLInputValue, StatementSync } from "node:sqlite";
import {
  CompiledQuery,
  type DatabaseConnection,
  type Dialect,
  SqliteAdapter,
  type SqliteDatabase,
  SqliteDialect,
  SqliteDriver,
  type SqliteStatement,
} from "kysely";

/** Prepared statements kept for reuse. The store has a few dozen shapes of query; filters multiply them a little. */
const STATEMENTS_MAX = 200;

/**
 * Lets Kysely speak to an open database of `node:sqlite`. Kysely's own dialect wants the interface of another library
 * and differs in two ways that matter here: its transactions begin as readers, and its migrations run outside of one.
 */
export function nodeSqliteDialect(database: DatabaseSync): Dialect {
  const config = { database: adapt(database) };
  const standard = new SqliteDialect(config);
  return {
    createDriver: () => new ImmediateDriver(config),
    createQueryCompiler: () => standard.createQueryCompiler(),
    createAdapter: () => new TransactionalAdapter(),
    createIntrospector: (db) => standard.createIntrospector(db),
  };
}

/** A transaction that reads first and writes later would fail at once, not wait, when another connection wrote in between. */
class ImmediateDriver extends SqliteDriver {
  override async beginTransaction(connection: DatabaseConnection): Promise<void> {
    await connection.executeQuery(CompiledQuery.raw("begin immediate"));
  }
}

/** SQLite undoes DDL like anything else, so a migration that is cut short leaves nothing behind. */
class TransactionalAdapter extends SqliteAdapter {
  override get supportsTransactionalDdl(): boolean {
    return true;
  }
}

function adapt(database: DatabaseSync): SqliteDatabase {
  const statements = new Map<string, SqliteStatement>();
  return {
    close() {
      statements.clear();
      database.close();
    },
    prepare(sql) {
      const known = statements.get(sql);
      // Taken out and put back, so that the first of the map is the one that was not used for longest.
      if (known !== undefined) statements.delete(sql);
      const statement = known ?? adaptStatement(database, database.prepare(sql), sql);
      statements.set(sql, statement);
      if (statements.size > STATEMENTS_MAX) {
        const oldest = statements.keys().next();
        if (!oldest.done) statements.delete(oldest.value);
      }
      return statement;
    },
  };
}

function adaptStatement(database: DatabaseSync, statement: StatementSync, sql: string): SqliteStatement {
  return {
    reader: statement.columns().length > 0,
    all: (parameters) => statement.all(...parameters.map(toInput)),
    run: (parameters) => statement.run(...parameters.map(toInput)),
    // A statement of its own: a shared one would be reset when the same query runs again before the end of the iteration.
    iterate: (parameters) => database.prepare(sql).iterate(...parameters.map(toInput)),
  };
}

function toInput(value: unknown): SQLInputValue {
  if (value === null || typeof value === "string") return value;
  if (typeof value === "number" || typeof value === "bigint") return value;
  assert.fail(`A query has a parameter of type ${typeof value}, which has no column here.`);
}
