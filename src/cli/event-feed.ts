import { EVENTS_HEARTBEAT_MS } from "../contract/api.ts";
import { AppError } from "../contract/errors.ts";
import { Event } from "../contract/event.ts";
import { EVENT_MAX_BYTES } from "../contract/event-bounds.ts";
import type { Client } from "./client.ts";
import { pause } from "./pause.ts";

/** A connection that is silent for longer than this many heartbeats is taken for dead and made anew. */
const SILENCE_MAX_MS = 3 * EVENTS_HEARTBEAT_MS;
/** Attempts in a row without a single event before the server counts as gone: about four minutes. */
const ATTEMPTS_MAX = 60;
const PAUSE_FIRST_MS = 200;
const PAUSE_MAX_MS = 5_000;
/** An event in JSON is at most so long; escapes can double what EVENT_MAX_BYTES counts. */
const LINE_MAX_BYTES = 4 * EVENT_MAX_BYTES;

export type FeedOptions = {
  job_id: string;
  /** The last event that is known already; 0 begins at the first. */
  after: number;
  follow: boolean;
  types?: string[];
  /** Told when the connection is lost (true) and when it is back (false). */
  on_lost?: (lost: boolean) => void;
};

/**
 * The events of a job in order, each once: connects again after the last one when the connection breaks.
 * With `follow` it ends after `job.ended`, else at the last one stored. Event types of a newer server are left out.
 * Throws `unreachable` when the server stays away, and the server's own errors at once.
 */
export async function* eventFeed(
  client: Client,
  options: FeedOptions,
  signal: AbortSignal,
): AsyncGenerator<Event> {
  let after = options.after;
  let lost = false;
  const state = (now: boolean) => {
    if (lost !== now) options.on_lost?.(now);
    lost = now;
  };
  for (let failures = 0; ; failures += 1) {
    try {
      for await (const line of lines(client, options, after, signal)) {
        state(false);
        const known = Event.safeParse(line);
        const seq = seqOf(line);
        if (seq === null || seq <= after) continue;
        after = seq;
        failures = 0;
        if (!known.success) continue;
        const event = known.data as Event;
        yield event;
        if (event.type === "job.ended") return;
      }
      state(false);
      if (!options.follow) return;
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof AppError && !error.retryable) throw error;
      if (failures >= ATTEMPTS_MAX) throw error;
      state(true);
    }
    await pause(Math.min(PAUSE_MAX_MS, PAUSE_FIRST_MS * 2 ** Math.min(failures, 10)), signal);
  }
}

async function* lines(
  client: Client,
  options: FeedOptions,
  after: number,
  signal: AbortSignal,
): AsyncGenerator<unknown> {
  const silence = new AbortController();
  const answer = await client.open({
    path: `/jobs/${options.job_id}/events`,
    query: { after, follow: options.follow, types: options.types?.join(",") },
    headers: { accept: "application/x-ndjson" },
    signal: AbortSignal.any([signal, silence.signal]),
  });
  const watch = () => setTimeout(() => silence.abort(new Error("silent for too long")), SILENCE_MAX_MS);
  let timer = watch();
  const decoder = new TextDecoder();
  let rest = "";
  try {
    for await (const chunk of answer.body ?? []) {
      clearTimeout(timer);
      timer = watch();
      rest += decoder.decode(chunk, { stream: true });
      const complete = rest.split("\n");
      rest = complete.pop() ?? "";
      if (rest.length > LINE_MAX_BYTES) throw new Error("a line of the event stream is too long");
      for (const line of complete) {
        if (line.trim() !== "") yield JSON.parse(line);
      }
    }
  } finally {
    clearTimeout(timer);
  }
}

function seqOf(line: unknown): number | null {
  if (typeof line !== "object" || line === null || !("seq" in line)) return null;
  return typeof line.seq === "number" ? line.seq : null;
}
