import { AppError } from "../contract/errors.ts";
import type { EventLine } from "../core/store.ts";

/** How events are written down: Server-Sent Events (WHATWG HTML, 9.2) or one JSON object a line. */
export type EventText = {
  content_type: string;
  /** Sent at once, so that a client knows that it is connected; ignored by every reader. */
  opening: string;
  heartbeat: string;
  line(event: EventLine, id: number): string;
};

const SSE: EventText = {
  content_type: "text/event-stream; charset=utf-8",
  opening: ": connected\n\n",
  heartbeat: ": still here\n\n",
  // There is no line break in what JSON.stringify writes, so the data is always one line.
  line: (event, id) => `id: ${id}\nevent: ${event.type}\ndata: ${event.json}\n\n`,
};

const NDJSON: EventText = {
  content_type: "application/x-ndjson; charset=utf-8",
  opening: "",
  heartbeat: "\n",
  line: (event) => `${event.json}\n`,
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
