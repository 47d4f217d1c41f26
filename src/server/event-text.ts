import { AppError } from "../contract/errors.ts";
import type { Event } from "../contract/event.ts";

/** How events are written down: Server-Sent Events (WHATWG HTML, 9.2) or one JSON object a line. */
export type EventText = {
  content_type: string;
  /** Sent at once, so that a client knows that it is connected; ignored by every reader. */
  opening: string;
  heartbeat: string;
  line(event: Event, id: number): string;
};

const SSE: EventText = {
  content_type: "text/event-stream; charset=utf-8",
  opening: ": connected\n\n",
  heartbeat: ": still here\n\n",
  // JSON.stringify leaves no line break, so the data is always one line.
  line: (event, id) => `id: ${id}\nevent: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`,
};

const NDJSON: EventText = {
  content_type: "application/x-ndjson; charset=utf-8",
  opening: "",
  heartbeat: "\n",
  line: (event) => `${JSON.stringify(event)}\n`,
};

/** The form that an `Accept` header wants; SSE unless it names NDJSON. Throws AppError `not_acceptable` when it takes neither. */
export function eventText(accept: string | undefined): EventText {
  const wanted = (accept ?? "*/*").toLowerCase();
  if (wanted.includes("application/x-ndjson")) return NDJSON;
  if (/text\/event-stream|text\/\*|\*\/\*|application\/json/.test(wanted)) return SSE;
  throw new AppError({
    code: "not_acceptable",
    message: "Events are given as text/event-stream or application/x-ndjson.",
  });
}

/** Where to go on: `?after=` when given, because a person wrote it, else the `Last-Event-ID` that a browser repeats by itself. */
export function afterOf(
  after: number | undefined,
  last_event_id: string | string[] | undefined,
): number | null {
  if (after !== undefined) return after;
  if (last_event_id === undefined || last_event_id === "") return null;
  if (typeof last_event_id === "string" && /^\d{1,15}$/.test(last_event_id)) return Number(last_event_id);
  const msg = "Last-Event-ID must be the number that stood in `id:`.";
  throw new AppError({
    code: "invalid_request",
    message: msg,
    details: [{ loc: ["header", "last-event-id"], msg, type: "int_parsing" }],
  });
}
