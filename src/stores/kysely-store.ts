import assert from "node:assert/strict";
import type { Kysely, Transaction } from "kysely";
import { AppError } from "../contract/errors.ts";
import type { Event, EventBody, EventType, RunnerEvent } from "../contract/event.ts";
import { Phase } from "../contract/job.ts";
import type {
  AllEventsFilter,
  EventLine,
  EventsFilter,
  EventsPage,
  JobRecord,
  JobState,
  JobsFilter,
  SignInRecord,
  SignInStore,
  Store,
} from "../core/store.ts";
import { pageStartQuery } from "./event-queries.ts";
import {
  insertEvents,
  type NewEvent,
  readEventsOfJob,
  readLastEvent,
  readLinesOfAllJobs,
  readLinesOfJob,
  withoutStored,
} from "./event-rows.ts";
import { JOB_COLUMNS, listedColumns, requestColumns, stateColumns, toJob, toState } from "./job-rows.ts";
import { readJobsPage } from "./jobs-page.ts";
import { signInRows } from "./sign-in-rows.ts";
import type { Tables } from "./tables.ts";

/** Removed jobs that are remembered; of older ones it is no longer known that they were there. */
export const REMOVED_JOBS_MAX = 1_000_000;

const UNENDED = Phase.options.filter((phase) => phase !== "ended");

/**
 * The store in SQL that SQLite and PostgreSQL share. It counts on the dialect that two transactions which change the same job do
 * not run at the same time: with one connection, whose transactions Kysely queues, that is so for any two.
 */
export class KyselyStore implements Store {
  readonly #db: Kysely<Tables>;
  readonly #clock: () => Date;
  readonly #sign_ins: SignInStore;

  constructor(db: Kysely<Tables>, clock: () => Date) {
    this.#db = db;
    this.#sign_ins = signInRows(db);
    this.#clock = clock;
  }

  insertJob(
    job: JobRecord,
    events: EventBody[],
    idempotency: { key: string; fingerprint: string } | null,
  ): Promise<{ job: JobRecord; fresh: boolean; events: Event[] }> {
    return this.#db.transaction().execute(async (trx) => {
      if (idempotency !== null) {
        const earlier = await jobOfKey(trx, idempotency);
        if (earlier !== null) return { job: earlier, fresh: false, events: [] };
      }
      const { job_id, owner, scheduled_at } = job;
      await trx
        .insertInto("jobs")
        .values({ job_id, owner, scheduled_at, last_seq: events.length, ...stateColumns(job.state) })
        .execute();
      await trx
        .insertInto("requests")
        .values({ job_id, ...requestColumns(job) })
        .execute();
      await trx
        .insertInto("listed_requests")
        .values({ job_id, ...listedColumns(job) })
        .execute();
      const labels = Object.entries(job.request.labels).map(([name, value]) => ({ job_id, name, value }));
      if (labels.length > 0) await trx.insertInto("labels").values(labels).execute();
      if (idempotency !== null) {
        await trx
          .insertInto("idempotency_keys")
          .values({ ...idempotency, job_id })
          .execute();
      }
      const place = { job_id, last_seq: 0, at: scheduled_at };
      return { job, fresh: true, events: await insertEvents(trx, place, events.map(ours)) };
    });
  }

  async getJob(job_id: string): Promise<JobRecord | null> {
    const row = await jobs(this.#db).where("jobs.job_id", "=", job_id).executeTakeFirst();
    return row === undefined ? null : toJob(row);
  }

  async wasRemoved(job_id: string): Promise<boolean> {
    const row = await this.#db
      .selectFrom("removed_jobs")
      .select("position")
      .where("job_id", "=", job_id)
      .executeTakeFirst();
    return row !== undefined;
  }

  listJobs(
    filter: JobsFilter,
    limit: number,
    cursor: string | null,
  ): Promise<{ jobs: JobRecord[]; next_cursor: string | null }> {
    return readJobsPage(this.#db, filter, limit, cursor);
  }

  async unendedJobs(): Promise<JobRecord[]> {
    const rows = await jobs(this.#db)
      .where("jobs.phase", "in", UNENDED)
      .orderBy("jobs.scheduled_at")
      .orderBy("jobs.job_id")
      .execute();
    return rows.map(toJob);
  }

  append(job_id: string, at: string, change: Partial<JobState>, events: EventBody[]): Promise<Event[]> {
    return this.#db.transaction().execute(async (trx) => {
      const job = await jobToChange(trx, job_id);
      return changeJob(trx, job, at, { ...job.state, ...change }, events.map(ours));
    });
  }

  appendFromRunner(
    job_id: string,
    at: string,
    epoch: string,
    events: RunnerEvent[],
    change: Partial<JobState>,
  ): Promise<Event[]> {
    return this.#db.transaction().execute(async (trx) => {
      const job = await jobToChange(trx, job_id);
      const fresh = await withoutStored(trx, { job_id, epoch }, events);
      const state = { ...job.state, ...change };
      if (fresh.length > 0) {
        const before = await highestN(trx, job_id, epoch);
        state.runner_epoch = epoch;
        state.runner_n = fresh.reduce((highest, { n }) => Math.max(highest, n), before);
      }
      const added = fresh.map((event): NewEvent => ({ ...event, epoch }));
      return changeJob(trx, job, at, state, added);
    });
  }

  readEvents(job_id: string, filter: EventsFilter): Promise<Event[]> {
    return readEventsOfJob(this.#db, job_id, filter);
  }

  readEventLines(job_id: string, filter: EventsFilter): Promise<EventLine[]> {
    return readLinesOfJob(this.#db, job_id, filter);
  }

  readAllEventLines(filter: AllEventsFilter): Promise<EventLine[]> {
    return readLinesOfAllJobs(this.#db, filter);
  }

  async pageStart(job_id: string, page: EventsPage): Promise<number | null> {
    return (await pageStartQuery(this.#db, job_id, page).executeTakeFirst())?.seq ?? null;
  }

  async phase(job_id: string): Promise<Phase | null> {
    const row = await this.#db
      .selectFrom("jobs")
      .select("phase")
      .where("job_id", "=", job_id)
      .executeTakeFirst();
    return row === undefined ? null : Phase.parse(row.phase);
  }

  lastEvent<T extends EventType>(job_id: string, type: T): Promise<Extract<Event, { type: T }> | null> {
    return readLastEvent(this.#db, job_id, type);
  }

  async lastCursor(): Promise<number> {
    const row = await this.#db
      .selectFrom("events")
      .select("cursor")
      .orderBy("cursor", "desc")
      .limit(1)
      .executeTakeFirst();
    return row?.cursor ?? 0;
  }

  async expiredJobs(before: string, limit: number): Promise<string[]> {
    const rows = await this.#db
      .selectFrom("jobs")
      .select("job_id")
      .where("ended_at", "<", before)
      .where("phase", "=", "ended")
      .orderBy("ended_at")
      .orderBy("job_id")
      .limit(limit)
      .execute();
    return rows.map((row) => row.job_id);
  }

  removeJobSlice(job_id: string, slice: number): Promise<boolean> {
    assert(slice > 0, "A slice of no events would never remove a job.");
    return this.#db.transaction().execute(async (trx) => {
      const { numDeletedRows } = await trx
        .deleteFrom("events")
        .where("cursor", "in", (query) =>
          query
            .selectFrom("events")
            .select("cursor")
            .where("job_id", "=", job_id)
            .orderBy("seq")
            .limit(slice),
        )
        .executeTakeFirst();
      if (numDeletedRows === BigInt(slice) && (await hasEvents(trx, job_id))) return false;
      const removed = await trx.deleteFrom("jobs").where("job_id", "=", job_id).executeTakeFirst();
      if (removed.numDeletedRows > 0n) await rememberRemoved(trx, job_id, this.#clock());
      return true;
    });
  }

  signIns(): Promise<SignInRecord[]> {
    return this.#sign_ins.signIns();
  }

  insertSignIn(record: SignInRecord): Promise<void> {
    return this.#sign_ins.insertSignIn(record);
  }

  markSignInsUsed(used: readonly Pick<SignInRecord, "token_id" | "last_used_at">[]): Promise<void> {
    return this.#sign_ins.markSignInsUsed(used);
  }

  removeSignIns(token_ids: readonly string[]): Promise<void> {
    return this.#sign_ins.removeSignIns(token_ids);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#db.destroy();
  }
}

type JobToChange = { job_id: string; last_seq: number; state: JobState };

const ours = (event: EventBody): NewEvent => ({ ...event, epoch: null, n: null });

function jobs(db: Kysely<Tables>) {
  return db.selectFrom("jobs").innerJoin("requests", "requests.job_id", "jobs.job_id").select(JOB_COLUMNS);
}

async function jobOfKey(
  trx: Transaction<Tables>,
  idempotency: { key: string; fingerprint: string },
): Promise<JobRecord | null> {
  const known = await trx
    .selectFrom("idempotency_keys")
    .select(["job_id", "fingerprint"])
    .where("key", "=", idempotency.key)
    .executeTakeFirst();
  if (known === undefined) return null;
  if (known.fingerprint !== idempotency.fingerprint) {
    throw new AppError({
      code: "idempotency_mismatch",
      message: `The Idempotency-Key was used before with another body; it belongs to job ${known.job_id}.`,
      hint: "Use a new key for a new job, or send exactly the same body again.",
    });
  }
  return toJob(await jobs(trx).where("jobs.job_id", "=", known.job_id).executeTakeFirstOrThrow());
}

async function jobToChange(trx: Transaction<Tables>, job_id: string): Promise<JobToChange> {
  const row = await trx
    .selectFrom("jobs")
    .select(["job_id", "last_seq", "state"])
    .where("job_id", "=", job_id)
    .executeTakeFirst();
  if (row === undefined) {
    throw new AppError({
      code: "not_found",
      message: `There is no job ${job_id} to change.`,
      hint: "It may have been removed after its retention time.",
    });
  }
  return { job_id, last_seq: row.last_seq, state: toState(row) };
}

async function changeJob(
  trx: Transaction<Tables>,
  job: JobToChange,
  at: string,
  state: JobState,
  events: NewEvent[],
): Promise<Event[]> {
  const { job_id, last_seq } = job;
  const stored = await insertEvents(trx, { job_id, last_seq, at }, events);
  await trx
    .updateTable("jobs")
    .set({ ...stateColumns(state), last_seq: last_seq + stored.length })
    .where("job_id", "=", job_id)
    .execute();
  return stored;
}

async function highestN(trx: Transaction<Tables>, job_id: string, epoch: string): Promise<number> {
  const row = await trx
    .selectFrom("events")
    .select("n")
    .where("job_id", "=", job_id)
    .where("epoch", "=", epoch)
    .orderBy("n", "desc")
    .limit(1)
    .executeTakeFirst();
  return row?.n ?? 0;
}

async function hasEvents(trx: Transaction<Tables>, job_id: string): Promise<boolean> {
  const row = await trx
    .selectFrom("events")
    .select("cursor")
    .where("job_id", "=", job_id)
    .limit(1)
    .executeTakeFirst();
  return row !== undefined;
}

async function rememberRemoved(trx: Transaction<Tables>, job_id: string, at: Date): Promise<void> {
  const { position } = await trx
    .insertInto("removed_jobs")
    .values({ job_id, removed_at: at.toISOString() })
    .returning("position")
    .executeTakeFirstOrThrow();
  await trx
    .deleteFrom("removed_jobs")
    .where("position", "<=", position - REMOVED_JOBS_MAX)
    .execute();
}
