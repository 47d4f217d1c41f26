import { EVENTS_MAX_PER_JOB, parseRunnerEvent, type RunnerEvent } from "../contract/event.ts";
import { EVENT_MAX_BYTES } from "../contract/event-bounds.ts";
import { violated } from "./link-peer.ts";

/** Events handed on at once, for one transaction of the store. */
export const BATCH_MAX_EVENTS = 500;
const NEWLINE = 0x0a;

/**
 * Takes NDJSON from a runner apart. Each batch holds all events that were at hand; `n` must count on from `after` without a gap.
 * Throws AppError `protocol_violated` for anything else. Holds one line at most, and reads no further while a batch is being used.
 */
export async function* eventBatches(
  chunks: AsyncIterable<Buffer>,
  after: number,
): AsyncGenerator<RunnerEvent[]> {
  let rest: Buffer = Buffer.alloc(0);
  let n = after;
  let batch: RunnerEvent[] = [];
  for await (const chunk of chunks) {
    const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    let start = 0;
    for (let end = bytes.indexOf(NEWLINE); end !== -1; end = bytes.indexOf(NEWLINE, start)) {
      batch.push(eventOf(bytes.subarray(start, end), ++n));
      start = end + 1;
      if (batch.length < BATCH_MAX_EVENTS) continue;
      yield batch;
      batch = [];
    }
    // A copy, so that a short rest does not keep a long chunk in memory.
    rest = Buffer.from(bytes.subarray(start));
    if (rest.length > EVENT_MAX_BYTES) throw violated(`an event is larger than ${EVENT_MAX_BYTES} bytes`);
    if (batch.length === 0) continue;
    yield batch;
    batch = [];
  }
}

function eventOf(line: Buffer, n: number): RunnerEvent {
  if (line.length > EVENT_MAX_BYTES) throw violated(`an event is larger than ${EVENT_MAX_BYTES} bytes`);
  if (n > EVENTS_MAX_PER_JOB) throw violated(`it sent more than ${EVENTS_MAX_PER_JOB} events`);
  const event = parseRunnerEvent(line.toString());
  if (event === null) throw violated(`what should be event ${n} is no valid event`);
  if (event.n !== n) throw violated(`event ${event.n} came where ${n} should`);
  return event;
}
