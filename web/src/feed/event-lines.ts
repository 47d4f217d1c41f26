import type { Event } from "../../../src/contract/event.ts";

/** A line is one event of at most 64 KiB, as JSON somewhat more; what is longer is no stream of events. */
const LINE_MAX_CHARS = 1024 * 1024;

/** The events of a stream of NDJSON, as many at a time as arrived together; an empty list for a heartbeat. Throws for what is no event. */
export async function* eventBatches(body: ReadableStream<Uint8Array>): AsyncGenerator<Event[]> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of chunksOf(body)) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    if (rest.length > LINE_MAX_CHARS) throw new Error("The stream of events has a line without end.");
    yield lines.filter((line) => line !== "").map(eventOf);
  }
}

/** Our own server said it, so it is looked at only as far as it tells this stream from another one. */
function eventOf(line: string): Event {
  const value: Partial<Event> | null = JSON.parse(line);
  const { cursor, seq, type, job_id } = value ?? {};
  if (Number.isSafeInteger(cursor) && Number.isSafeInteger(seq) && typeof type === "string" && job_id)
    return value as Event;
  throw new Error("The stream of events has a line that is no event.");
}

/** Not every browser can iterate a stream by itself. */
async function* chunksOf(body: ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array> {
  const reader = body.getReader();
  try {
    while (true) {
      const { done, value } = await reader.read();
      if (done) return;
      yield value;
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}
