import type { AllEventsQuery, JobEventsQuery } from "../contract/api.ts";
import { AppError } from "../contract/errors.ts";
import type { Follow, FollowAll } from "../core/event-log.ts";

type LastEventId = string | string[] | undefined;

/** What a request for the events of a job wants. Throws AppError `invalid_request` for what cannot be wanted together. */
export function followOf(query: JobEventsQuery, last_event_id: LastEventId): Follow {
  const { before, limit, types = null } = query;
  const page = before === undefined ? (limit === undefined ? null : "limit") : "before";
  if (page !== null && query.follow === true)
    throw invalid(
      ["query", "follow"],
      "follow_with_page",
      `With \`${page}\` the answer ends, so it cannot follow.`,
    );
  const after = afterOf(query.after, last_event_id);
  return { after, types, follow: page === null && query.follow !== false, before, limit };
}

/** What a request for the events of all jobs wants. */
export function followAllOf(query: AllEventsQuery, last_event_id: LastEventId): FollowAll {
  const { types = null, follow = true } = query;
  // Ids are compared in lower case, in which the server makes them.
  const output_of = query.output_of?.map((id) => id.toLowerCase());
  return { after: afterOf(query.after, last_event_id), types, follow, output_of };
}

/** Where to go on: `?after=` when given, because a person wrote it, else the `Last-Event-ID` that a browser repeats by itself. */
function afterOf(after: number | undefined, last_event_id: LastEventId): number | null {
  if (after !== undefined) return after;
  if (last_event_id === undefined || last_event_id === "") return null;
  if (typeof last_event_id === "string" && /^\d{1,15}$/.test(last_event_id)) return Number(last_event_id);
  const msg = "Last-Event-ID must be the number that stood in `id:`.";
  throw invalid(["header", "last-event-id"], "int_parsing", msg);
}

function invalid(loc: string[], type: string, msg: string): AppError {
  return new AppError({ code: "invalid_request", message: msg, details: [{ loc, msg, type }] });
}
