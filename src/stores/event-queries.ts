import { type Kysely, type Selectable, sql } from "kysely";
import type { EventType } from "../contract/event.ts";
import type { AllEventsFilter, EventsFilter, EventsPage, EventsWanted } from "../core/store.ts";
import type { Tables } from "./tables.ts";

// Events are read by these queries alone. Each goes along an index, from where it begins to where it ends, without a sort.

const EVENT_COLUMNS = ["cursor", "job_id", "seq", "at", "type", "data"] as const;
export type EventRow = Pick<Selectable<Tables["events"]>, (typeof EVENT_COLUMNS)[number]>;

/** Does not know `before`: with a bound at both ends SQLite takes the index of all events and looks at each, so the caller cuts there. */
export function jobEventsQuery(db: Kysely<Tables>, job_id: string, filter: EventsFilter) {
  const parts = sidesOf(filter).map((wanted) =>
    wantedEvents(db, wanted)
      .select(EVENT_COLUMNS)
      .where("job_id", "=", job_id)
      .where("seq", ">", filter.after),
  );
  return parts
    .reduce((union, part) => union.unionAll(part))
    .orderBy("seq")
    .limit(filter.limit);
}

/** Skips along the index, so the content of what is skipped is not read. */
export function pageStartQuery(db: Kysely<Tables>, job_id: string, page: EventsPage) {
  const parts = sidesOf(page).map((wanted) =>
    wantedEvents(db, wanted).select("seq").where("job_id", "=", job_id).where("seq", "<", page.before),
  );
  return parts
    .reduce((union, part) => union.unionAll(part))
    .orderBy("seq", "desc")
    .limit(1)
    .offset(page.limit - 1);
}

export function lastEventQuery(db: Kysely<Tables>, job_id: string, type: EventType) {
  return wantedEvents(db, { types: [type] })
    .select(EVENT_COLUMNS)
    .where("job_id", "=", job_id)
    .orderBy("seq", "desc")
    .limit(1);
}

/** Null when nothing can be wanted. Each part is read only as far as it is needed, so output of jobs that are not named costs nothing. */
export function allEventsQuery(db: Kysely<Tables>, filter: AllEventsFilter) {
  const { after, limit, output_of } = filter;
  const rows = (wanted: EventsWanted) =>
    wantedEvents(db, wanted).select(EVENT_COLUMNS).where("cursor", ">", after);
  const side = outputSide(filter);
  const outputs = (job_id: string) => rows(OUTPUT).where("job_id", "=", job_id);
  const parts =
    output_of === undefined || side === 0
      ? sidesOf(filter).map(rows)
      : [...(side === null ? [rows(withoutOutput(filter))] : []), ...[...new Set(output_of)].map(outputs)];
  const [first, ...others] = parts;
  if (first === undefined) return null;
  return others
    .reduce((union, part) => union.unionAll(part), first)
    .orderBy("cursor")
    .limit(limit);
}

const OUTPUT: EventsWanted = { types: ["step.output"] };

/** Where types of both sides are wanted, each side is read along its index, and SQLite merges them. */
function sidesOf(wanted: EventsWanted): EventsWanted[] {
  if (wanted.types === undefined || outputSide(wanted) !== null) return [wanted];
  return [withoutOutput(wanted), OUTPUT];
}

/** The events of a side and of types, in no order and without a bound. */
function wantedEvents(db: Kysely<Tables>, wanted: EventsWanted) {
  const { types, without = [] } = wanted;
  let query = db.selectFrom("events");
  const side = outputSide(wanted);
  // No parameter: an index over a part of the rows serves only a query that names this part.
  if (side !== null) query = query.where("is_output", "=", sql.lit(side));
  // A condition that the side says already would only be work for each row.
  if (types !== undefined) {
    if (side !== 1) query = query.where("type", "in", types);
  } else {
    const others = without.filter((type) => type !== "step.output");
    if (others.length > 0) query = query.where("type", "not in", others);
  }
  return query;
}

function withoutOutput({ types, without = [] }: EventsWanted): EventsWanted {
  if (types === undefined) return { without: [...without, "step.output"] };
  return { types: types.filter((type) => type !== "step.output") };
}

/** 1 when only `step.output` is wanted, 0 when it is not wanted, null when it is one among others. */
function outputSide({ types, without = [] }: EventsWanted): 0 | 1 | null {
  if (types === undefined) return without.includes("step.output") ? 0 : null;
  if (!types.includes("step.output")) return 0;
  return types.every((type) => type === "step.output") ? 1 : null;
}
