import type { Kysely } from "kysely";
import type { Event, EventBody, EventType } from "../contract/event.ts";
import type { AllEventsFilter, EventLine, EventsFilter } from "../core/store.ts";
import { allEventsQuery, type EventRow, jobEventsQuery, lastEventQuery } from "./event-queries.ts";
import type { Tables } from "./tables.ts";

/** Rows in one INSERT. Large enough to make a batch fast, and always the same text of SQL for all but the rest of a batch. */
const ROWS_PER_INSERT = 100;

/** An event on its way into the store; epoch and n are null when the orchestrator says it itself. */
export type NewEvent = EventBody & { epoch: string | null; n: number | null };

/** Appends events behind `last_seq`, at the time given. Runs inside the caller's transaction, which also stores the new last_seq. */
export async function insertEvents(
  db: Kysely<Tables>,
  place: { job_id: string; last_seq: number; at: string },
  events: readonly NewEvent[],
): Promise<Event[]> {
  const { job_id, last_seq, at } = place;
  const stored: Event[] = [];
  for (let start = 0; start < events.length; start += ROWS_PER_INSERT) {
    const chunk = events.slice(start, start + ROWS_PER_INSERT);
    const rows = chunk.map((event, index) => ({
      job_id,
      seq: last_seq + start + index + 1,
      at,
      type: event.type,
      is_output: event.type === "step.output" ? 1 : 0,
      epoch: event.epoch,
      n: event.n,
      data: JSON.stringify(event.data),
    }));
    const inserted = await db.insertInto("events").values(rows).returning(["seq", "cursor"]).execute();
    // Neither SQLite nor PostgreSQL promises the order of what RETURNING gives.
    const cursors = new Map(inserted.map((row) => [row.seq, row.cursor]));
    for (const row of rows) stored.push(toEvent({ ...row, cursor: cursors.get(row.seq) ?? 0 }));
  }
  return stored;
}

/** The events that are not stored yet, each once, in the order given. */
export async function withoutStored<T extends { n: number }>(
  db: Kysely<Tables>,
  runner: { job_id: string; epoch: string },
  events: readonly T[],
): Promise<T[]> {
  const { job_id, epoch } = runner;
  const seen = new Set<number>();
  for (let start = 0; start < events.length; start += ROWS_PER_INSERT) {
    const rows = await db
      .selectFrom("events")
      .select("n")
      .where("job_id", "=", job_id)
      .where("epoch", "=", epoch)
      .where(
        "n",
        "in",
        events.slice(start, start + ROWS_PER_INSERT).map((event) => event.n),
      )
      .execute();
    for (const row of rows) if (row.n !== null) seen.add(row.n);
  }
  return events.filter(({ n }) => {
    if (seen.has(n)) return false;
    seen.add(n);
    return true;
  });
}

export async function readEventsOfJob(
  db: Kysely<Tables>,
  job_id: string,
  filter: EventsFilter,
): Promise<Event[]> {
  return (await rowsOfJob(db, job_id, filter)).map(toEvent);
}

export async function readLinesOfJob(
  db: Kysely<Tables>,
  job_id: string,
  filter: EventsFilter,
): Promise<EventLine[]> {
  return (await rowsOfJob(db, job_id, filter)).map(toLine);
}

export async function readLinesOfAllJobs(db: Kysely<Tables>, filter: AllEventsFilter): Promise<EventLine[]> {
  const rows = (await allEventsQuery(db, filter)?.execute()) ?? [];
  return rows.map(toLine);
}

export async function readLastEvent<T extends EventType>(
  db: Kysely<Tables>,
  job_id: string,
  type: T,
): Promise<Extract<Event, { type: T }> | null> {
  const row = await lastEventQuery(db, job_id, type).executeTakeFirst();
  return row === undefined ? null : (toEvent(row) as Extract<Event, { type: T }>);
}

async function rowsOfJob(db: Kysely<Tables>, job_id: string, filter: EventsFilter): Promise<EventRow[]> {
  const { before = Number.POSITIVE_INFINITY } = filter;
  const rows = await jobEventsQuery(db, job_id, filter).execute();
  return rows.filter(({ seq }) => seq < before);
}

/** The content was validated before it was stored, so it is only given back its type. */
function toEvent(row: EventRow): Event {
  return {
    seq: row.seq,
    cursor: row.cursor,
    job_id: row.job_id,
    at: row.at,
    type: row.type,
    data: JSON.parse(row.data),
  } as Event;
}

/** `data` was written by JSON.stringify, and nothing in the other columns needs to be escaped: all of them are ours. */
function toLine({ seq, cursor, job_id, at, type, data }: EventRow): EventLine {
  const json = `{"seq":${seq},"cursor":${cursor},"job_id":"${job_id}","at":"${at}","type":"${type}","data":${data}}`;
  return { seq, cursor, type: type as EventType, json };
}
