import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { DatabaseSync } from "node:sqlite";
import { describe, it } from "node:test";
import { Kysely } from "kysely";
import type { AllEventsFilter, EventsFilter, EventsPage, Store } from "../core/store.ts";
import { allEventsQuery, jobEventsQuery, pageStartQuery } from "./event-queries.ts";
import { REMOVED_JOBS_MAX } from "./kysely-store.ts";
import { nodeSqliteDialect } from "./node-sqlite-dialect.ts";
import { openSqliteStore } from "./sqlite.ts";
import { testStore } from "./store.contract.ts";
import { AT, newJob, output, readAllEvents, said } from "./store-fixtures.ts";
import type { Tables } from "./tables.ts";

testStore("sqlite", async (options) => {
  const folder = await temporaryFolder();
  const store = await openSqliteStore({ file: join(folder.path, "store.db"), ...options });
  // Each method is bound to the store itself, whose private fields a wrapper would not have.
  const dispose = store[Symbol.asyncDispose].bind(store);
  store[Symbol.asyncDispose] = async () => {
    await dispose();
    await folder[Symbol.asyncDispose]();
  };
  return store;
});

describe("sqlite: the file", () => {
  it("has everything again after it was closed and opened", async () => {
    await using folder = await temporaryFolder();
    const file = join(folder.path, "store.db");
    const job = newJob({ request: { labels: { team: "a" } } });
    {
      await using store = await openSqliteStore({ file });
      await store.insertJob(job, [said("first")], { key: "k", fingerprint: "f" });
      await store.append(job.job_id, AT, { phase: "starting" }, [said("second")]);
    }
    await using store = await openSqliteStore({ file });
    const state = { ...job.state, phase: "starting" };
    assert.deepEqual(await store.getJob(job.job_id), { ...job, state });
    assert.equal((await store.insertJob(newJob({}), [], { key: "k", fingerprint: "f" })).fresh, false);
    const [third] = await store.append(job.job_id, AT, {}, [said("third")]);
    assert.deepEqual([third?.seq, third?.cursor], [3, 3]);
  });

  it("can be read by its owner alone, as can the files beside it", async () => {
    await using folder = await temporaryFolder();
    await using store = await openSqliteStore({ file: join(folder.path, "store.db") });
    await store.insertJob(newJob({}), [], null);
    const names = await readdir(folder.path);
    assert.deepEqual(names.sort(), ["store.db", "store.db-shm", "store.db-wal"]);
    for (const name of names) assert.equal((await stat(join(folder.path, name))).mode & 0o777, 0o600, name);
  });

  it("is in WAL mode, and its schema refuses to leave events without their job", async () => {
    await using folder = await temporaryFolder();
    const file = join(folder.path, "store.db");
    await using store = await openSqliteStore({ file });
    const { job } = await store.insertJob(newJob({}), [said("x")], null);
    using other = new DatabaseSync(file, { enableForeignKeyConstraints: true });
    assert.deepEqual({ ...other.prepare("pragma journal_mode").get() }, { journal_mode: "wal" });
    assert.throws(() => other.prepare("delete from jobs where job_id = ?").run(job.job_id), /FOREIGN KEY/);
  });

  it("goes on with a database that a newer release added to", async () => {
    await using folder = await temporaryFolder();
    const file = join(folder.path, "store.db");
    const job = newJob({});
    {
      await using store = await openSqliteStore({ file });
      await store.insertJob(job, [], null);
    }
    {
      using newer = new DatabaseSync(file);
      newer.exec("alter table jobs add column mood text; create table moods (mood text)");
      newer.exec("update jobs set state = json_set(state, '$.mood', 'good')");
      newer.exec("insert into kysely_migration values ('9999-moods', '2030-01-01T00:00:00.000Z')");
    }
    await using store = await openSqliteStore({ file });
    await store.append(job.job_id, AT, { phase: "starting" }, [said("x")]);
    const state = { ...job.state, mood: "good", phase: "starting" };
    assert.deepEqual((await store.getJob(job.job_id))?.state, state);
  });

  it("fills what the state of a job from an older release does not say", async () => {
    await using folder = await temporaryFolder();
    const file = join(folder.path, "store.db");
    await using store = await openSqliteStore({ file });
    const job = newJob({});
    await store.insertJob(job, [], null);
    {
      using older = new DatabaseSync(file);
      older.exec("update jobs set state = json_remove(state, '$.usage', '$.runner_n', '$.ending')");
    }
    assert.deepEqual(await store.getJob(job.job_id), job);
  });

  it("migrates once, and finds nothing to do when it is opened again", async () => {
    await using folder = await temporaryFolder();
    const file = join(folder.path, "store.db");
    const schema = async () => {
      await using _store = await openSqliteStore({ file });
      using database = new DatabaseSync(file);
      const tables = database.prepare("select name, sql from sqlite_schema order by name").all();
      const migrations = database.prepare("select name, timestamp from kysely_migration").all();
      return { tables, migrations };
    };
    const first = await schema();
    assert.equal(first.migrations.length, 4);
    assert.deepEqual(await schema(), first);
  });

  it("lists a job from before there were short forms of requests", async () => {
    await using folder = await temporaryFolder();
    const file = join(folder.path, "store.db");
    await using store = await openSqliteStore({ file });
    const job = newJob({});
    await store.insertJob(job, [], null);
    {
      using older = new DatabaseSync(file);
      older.exec("delete from listed_requests");
    }
    assert.deepEqual((await store.listJobs({}, 1, null)).jobs, [job]);
  });

  it("refuses a file that is no database, and leaves it as it is", async () => {
    await using folder = await temporaryFolder();
    const file = join(folder.path, "store.db");
    const content = "This is a letter, not a database. ".repeat(100);
    await writeFile(file, content);
    await assert.rejects(openSqliteStore({ file }), /not a database/);
    assert.equal(await readFile(file, "utf8"), content);
  });

  it("forgets the oldest removed job when a million newer ones are remembered", async () => {
    await using folder = await temporaryFolder();
    const file = join(folder.path, "store.db");
    await using store = await openSqliteStore({ file });
    const [oldest, second, newest] = [newJob({}), newJob({}), newJob({})];
    for (const job of [oldest, second, newest]) await store.insertJob(job, [], null);
    await store.removeJobSlice(oldest.job_id, 1);
    await store.removeJobSlice(second.job_id, 1);
    {
      // As if as many were removed in between as leave room for just one more.
      using database = new DatabaseSync(file);
      database
        .prepare("update sqlite_sequence set seq = ? where name = 'removed_jobs'")
        .run(REMOVED_JOBS_MAX);
    }
    await store.removeJobSlice(newest.job_id, 1);
    const remembered = await Promise.all([oldest, second, newest].map((job) => store.wasRemoved(job.job_id)));
    assert.deepEqual(remembered, [false, true, true]);
  });
});

describe("sqlite: kill -9", () => {
  it("leaves every acknowledged event there, in order and without a gap", { timeout: 60_000 }, async () => {
    await using folder = await temporaryFolder();
    const file = join(folder.path, "store.db");
    const job = newJob({});
    {
      await using store = await openSqliteStore({ file });
      await store.insertJob(job, [], null);
    }
    for (const round of [1, 2, 3]) {
      const acknowledged = await appendUntilKilled(file, job.job_id, { round, lines: 40 });
      await using store = await openSqliteStore({ file });
      const events = await readAll(store, job.job_id);
      assert.deepEqual(
        events.map((event) => event.seq),
        events.map((_, index) => index + 1),
      );
      assert(acknowledged.length >= 40);
      const stored = new Map(events.map((event) => [event.seq, event]));
      for (const { seq, text } of acknowledged)
        assert.deepEqual(stored.get(seq)?.data, { from: "agent", text });
      // Three events a transaction: it is there as a whole or not at all, with the change that belongs to it.
      assert.equal(events.length % 3, 0);
      assert.equal((await store.getJob(job.job_id))?.state.runner_n, events.length);
    }
  });
});

describe("sqlite: 200,000 events", () => {
  it("reads on from any of them by index, never by a scan or a sort", { timeout: 120_000 }, async () => {
    await using folder = await temporaryFolder();
    const file = join(folder.path, "store.db");
    await using store = await openSqliteStore({ file });
    const [job, other] = [newJob({}), newJob({})];
    for (const each of [job, other]) await store.insertJob(each, [], null);
    for (let batch = 0; batch < 200; batch += 1) {
      const events = Array.from({ length: 1000 }, (_, index) => output(batch * 1000 + index + 1, "line\n"));
      await store.appendFromRunner(batch % 2 === 0 ? job.job_id : other.job_id, AT, "e", events, {});
    }
    const [last] = await store.append(job.job_id, AT, {}, [said("last")]);
    assert.deepEqual([last?.seq, last?.cursor], [100_001, 200_001]);
    const page = { after: 99_990, limit: 500 };
    assert.equal((await store.readEvents(job.job_id, page)).length, 11);
    assert.deepEqual(await store.readEvents(job.job_id, { after: 0, limit: 5, without: ["step.output"] }), [
      last,
    ]);
    assert.deepEqual(await readAllEvents(store, { after: 0, limit: 5, types: ["message.said"] }), [last]);

    const database = new DatabaseSync(file);
    await using db = new Kysely<Tables>({ dialect: nodeSqliteDialect(database) });
    // The plan does not depend on the parameters, so they are left unbound.
    const plan = (query: { compile(): { sql: string } } | null) =>
      database
        .prepare(`explain query plan ${query?.compile().sql}`)
        .all()
        .map((row) => `${row.detail}`);
    const from = { after: 150_000, limit: 500 };
    const ofJob = (filter: Partial<EventsFilter>) =>
      plan(jobEventsQuery(db, job.job_id, { ...from, ...filter }));
    const ofAll = (filter: Partial<AllEventsFilter>) => plan(allEventsQuery(db, { ...from, ...filter }));
    const ofPage = (page: Partial<EventsPage>) =>
      plan(pageStartQuery(db, job.job_id, { before: 90_000, limit: 500, ...page }));
    const few = ["job.ended", "phase.changed"] as const;
    const bySeq = "INDEX events_by_seq (job_id=? AND seq";
    const bySide = "INDEX events_by_output_seq_and_type (job_id=? AND is_output=? AND seq";
    assert.deepEqual(ofJob({}), [`SEARCH events USING ${bySeq}>?)`]);
    for (const wanted of [
      { types: ["step.output"] },
      { types: few },
      { without: ["step.output"] },
    ] as const) {
      assert.deepEqual(ofJob({ ...wanted, before: 9 }), [`SEARCH events USING ${bySide}>?)`]);
      // Covering: not one event is looked at to find where a page starts.
      assert.deepEqual(ofPage(wanted), [`SEARCH events USING COVERING ${bySide}<?)`]);
    }
    assert.deepEqual(ofPage({}), [`SEARCH events USING COVERING ${bySeq}<?)`]);
    const matches = (found: string[], ...wanted: RegExp[]) => {
      const steps = found.filter((step) => step.includes("events"));
      assert.equal(steps.length, wanted.length, found.join("; "));
      for (const [index, pattern] of wanted.entries()) assert.match(steps[index] ?? "", pattern);
      assert.doesNotMatch(found.join("; "), /SCAN|TEMP B-TREE/);
    };
    const oneSide = /INDEX events_by_output_seq_and_type \(job_id=\? AND is_output=\? AND seq[<>]\?\)$/;
    matches(ofJob({ types: [...few, "step.output"] }), oneSide, oneSide);
    matches(ofPage({ types: [...few, "step.output"] }), oneSide, oneSide);

    const byCursor = "SEARCH events USING INTEGER PRIMARY KEY (rowid>?)";
    const bySideAndCursor =
      /^SEARCH events USING INDEX events_by_output_and_cursor \(is_output=\? AND \S+>\?\)$/;
    const byJobAndCursor =
      /^SEARCH events USING INDEX output_by_job_and_cursor \(job_id=\? AND is_output=\? AND \S+>\?\)$/;
    assert.deepEqual(ofAll({}), [byCursor]);
    matches(ofAll({ without: ["step.output"] }), bySideAndCursor);
    matches(ofAll({ types: ["job.ended"] }), bySideAndCursor);
    matches(ofAll({ types: ["job.ended", "step.output"] }), bySideAndCursor, bySideAndCursor);
    const output_of = [job.job_id, other.job_id];
    matches(ofAll({ output_of }), bySideAndCursor, byJobAndCursor, byJobAndCursor);
    matches(
      ofAll({ output_of, types: [...few, "step.output"] }),
      bySideAndCursor,
      byJobAndCursor,
      byJobAndCursor,
    );
    matches(ofAll({ output_of: [job.job_id], types: ["step.output"] }), byJobAndCursor);
  });
});

async function temporaryFolder(): Promise<{ path: string } & AsyncDisposable> {
  const path = await mkdtemp(join(tmpdir(), "sealwork-store-"));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

async function readAll(store: Store, job_id: string) {
  const events = [];
  for (;;) {
    const page = await store.readEvents(job_id, { after: events.length, limit: 1000 });
    if (page.length === 0) return events;
    events.push(...page);
  }
}

/** Appends three events at a time until the parent has seen enough; prints each only when the store has said that it is stored. */
const APPENDER = `
  import { openSqliteStore } from ${JSON.stringify(import.meta.resolve("./sqlite.ts"))};
  const [file, job_id, epoch] = process.argv.slice(1);
  const store = await openSqliteStore({ file });
  let n = (await store.getJob(job_id)).state.runner_n;
  for (;;) {
    const events = [n + 1, n + 2, n + 3].map((n) => ({
      n, at: "2026-01-01T00:00:00.000Z", type: "message.said", data: { from: "agent", text: epoch + " " + n },
    }));
    n += 3;
    const stored = await store.appendFromRunner(job_id, ${JSON.stringify(AT)}, "e", events, {});
    for (const { seq, data } of stored) process.stdout.write(JSON.stringify({ seq, text: data.text }) + "\\n");
  }
`;

async function appendUntilKilled(
  file: string,
  job_id: string,
  options: { round: number; lines: number },
): Promise<{ seq: number; text: string }[]> {
  const args = ["--input-type=module", "--eval", APPENDER, file, job_id, `${options.round} ${randomUUID()}`];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
  const exited = once(child, "exit");
  const acknowledged: { seq: number; text: string }[] = [];
  for await (const line of createInterface(child.stdout)) {
    // The last line may be cut by the kill; what is not whole was not acknowledged.
    if (!line.endsWith("}")) continue;
    acknowledged.push(JSON.parse(line));
    if (acknowledged.length === options.lines) child.kill("SIGKILL");
  }
  assert.deepEqual(await exited, [null, "SIGKILL"]);
  return acknowledged;
}
