import type { Event, EventType } from "../../../../src/contract/event.ts";

/** What the pages of a job keep of it. The output of steps is read by need, see step-output.ts. */
export type StoryEvent = Exclude<Event, { type: "step.output" }>;
export type EventOf<T extends EventType> = Extract<Event, { type: T }>;

/** The events of one job as far as they are known, without output. */
export type JobEvents = {
  /** Ascending by seq, without gaps between the first and the last that are there. Another array after each change. */
  events: readonly StoryEvent[];
  /** Whether all that happened is among them. Until then others are being loaded: older ones, for a job that has ended later ones. */
  complete: boolean;
  error: unknown;
};

export const NO_EVENTS: JobEvents = { events: [], complete: false, error: null };

/** Those of one type, in order. */
export function eventsOf<T extends Exclude<EventType, "step.output">>(
  events: readonly StoryEvent[],
  type: T,
): EventOf<T>[] {
  return events.filter((event): event is EventOf<T> & StoryEvent => event.type === type);
}
