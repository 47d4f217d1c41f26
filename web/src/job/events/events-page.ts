import type { Event } from "../../../../src/contract/event.ts";
import { request } from "../../api/request.ts";
import { eventBatches } from "../../feed/event-lines.ts";

/** What one request for events of a job wants: those after a seq, or the newest before one; in either case at most `limit`, ascending. */
export type EventsWanted = {
  types: string;
  after?: number;
  before?: number;
  limit: number;
};

/** Before this all events of a job are. */
export const NEWEST = 2_147_483_647;

/** Throws ApiError. */
export async function eventsPage(
  job_id: string,
  wanted: EventsWanted,
  signal?: AbortSignal,
): Promise<Event[]> {
  const query = new URLSearchParams({ follow: "false" });
  for (const [name, value] of Object.entries(wanted)) query.set(name, String(value));
  const answer = await request(`/jobs/${job_id}/events?${query}`, {
    headers: { accept: "application/x-ndjson" },
    signal,
  });
  const events: Event[] = [];
  if (answer.body === null) return events;
  for await (const batch of eventBatches(answer.body)) for (const event of batch) events.push(event);
  return events;
}
