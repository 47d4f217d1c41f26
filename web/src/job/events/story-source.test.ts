import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import type { Event } from "../../../../src/contract/event.ts";
import type { JobEvents } from "./job-events.ts";
import { StorySource } from "./story-source.ts";

const JOB = "0190a1b2-0000-7000-8000-000000000000";

function eventAt(seq: number, job_id = JOB): Event {
  return {
    seq,
    cursor: seq + 1000,
    job_id,
    at: new Date(seq).toISOString(),
    type: "message.said",
    data: { from: "agent", text: `${seq}` },
  };
}

/** A server with events up to a seq, whose answers can be held back, and a feed that tells what the test says. */
class FakeServer {
  stored = 0;
  readonly asked: URLSearchParams[] = [];
  readonly feed = {
    onEvents: (listener: (events: readonly Event[]) => void) => {
      this.#tell = listener;
      return () => undefined;
    },
    onBegin: (listener: () => void) => {
      this.#begin = listener;
      return () => undefined;
    },
  };
  #tell: (events: readonly Event[]) => void = () => undefined;
  #begin: () => void = () => undefined;
  #held: (() => void)[] | null = null;
  #changed: (() => void)[] = [];

  constructor(context: TestContext) {
    context.mock.method(globalThis, "fetch", async (path: string) => {
      const query = new URL(path, "http://server").searchParams;
      this.asked.push(query);
      const answer = this.#page(query);
      if (this.#held !== null) await new Promise<void>((resolve) => this.#held?.push(resolve));
      return new Response(answer.map((event) => `${JSON.stringify(event)}\n`).join(""));
    });
  }

  /** Happens: is stored, and told when somebody listens. */
  happen(count: number, options: { told: boolean }): void {
    const events = Array.from({ length: count }, (_, index) => eventAt(this.stored + index + 1));
    this.stored += count;
    if (options.told) this.tell(events);
  }

  tell(events: readonly Event[]): void {
    this.#tell(events);
  }

  begin(): void {
    this.#begin();
  }

  hold(): void {
    this.#held = [];
  }

  release(): void {
    const held = this.#held ?? [];
    this.#held = null;
    for (const resolve of held) resolve();
  }

  source(ended: boolean): {
    latest: () => JobEvents;
    until: (is: (now: JobEvents) => boolean) => Promise<void>;
  } {
    let latest: JobEvents = { events: [], complete: false, error: null };
    new StorySource({
      job_id: JOB,
      ended,
      feed: this.feed,
      onChange: (events) => {
        latest = events;
        for (const changed of this.#changed.splice(0)) changed();
      },
    });
    const until = async (is: (now: JobEvents) => boolean): Promise<void> => {
      while (!is(latest)) await new Promise<void>((resolve) => this.#changed.push(resolve));
    };
    return { latest: () => latest, until };
  }

  #page(query: URLSearchParams): Event[] {
    const after = Number(query.get("after") ?? 0);
    const before = Math.min(Number(query.get("before") ?? Number.POSITIVE_INFINITY), this.stored + 1);
    const limit = Number(query.get("limit"));
    const seqs = Array.from({ length: Math.max(0, before - after - 1) }, (_, index) => after + 1 + index);
    const page = query.has("before") ? seqs.slice(-limit) : seqs.slice(0, limit);
    return page.map((seq) => eventAt(seq));
  }
}

function assertWhole(events: JobEvents, last: number): void {
  assert.deepEqual(
    events.events.map(({ seq }) => seq),
    Array.from({ length: last }, (_, index) => index + 1),
  );
}

test("the story of a running job comes from its end back, in few pages, and is whole", async (context) => {
  const server = new FakeServer(context);
  server.stored = 25_000;
  const { latest, until } = server.source(false);
  await until(({ events }) => events.length > 0);
  assert.equal(latest().events.at(-1)?.seq, 25_000, "the end is there first");
  await until(({ complete }) => complete);
  assertWhole(latest(), 25_000);
  assert(server.asked.length <= 5, `${server.asked.length} requests`);
});

test("the story of an ended job comes from its beginning on", async (context) => {
  const server = new FakeServer(context);
  server.stored = 12_000;
  const { latest, until } = server.source(true);
  await until(({ events }) => events.length > 0);
  assert.equal(latest().events[0]?.seq, 1);
  await until(({ complete }) => complete);
  assertWhole(latest(), 12_000);
});

test("what happens while pages are read is there once, and in its place", async (context) => {
  const server = new FakeServer(context);
  server.happen(5, { told: false });
  server.hold();
  const { latest, until } = server.source(false);
  server.happen(3, { told: true });
  server.release();
  await until(({ events }) => events.length === 8);
  server.tell([eventAt(7), eventAt(8)]);
  server.happen(1, { told: true });
  await until(({ events }) => events.length === 9);
  assertWhole(latest(), 9);
});

test("events of other jobs are none of it", async (context) => {
  const server = new FakeServer(context);
  server.happen(2, { told: false });
  const { latest, until } = server.source(false);
  await until(({ complete }) => complete);
  server.tell([eventAt(3, "0190a1b2-0000-7000-8000-000000000001")]);
  server.happen(1, { told: true });
  await until(({ events }) => events.length === 3);
  assertWhole(latest(), 3);
});

test("when the live stream begins anew, what it did not tell is read", async (context) => {
  const server = new FakeServer(context);
  server.happen(4, { told: false });
  const { latest, until } = server.source(false);
  await until(({ complete }) => complete);
  server.happen(3, { told: false });
  server.begin();
  server.happen(1, { told: true });
  await until(({ events }) => events.length === 8);
  assertWhole(latest(), 8);
});

test("a beginning in the middle of reading is not forgotten", async (context) => {
  const server = new FakeServer(context);
  server.happen(2, { told: false });
  server.hold();
  const { latest, until } = server.source(true);
  server.happen(2, { told: false });
  server.begin();
  server.release();
  await until(({ complete }) => complete);
  assertWhole(latest(), 4);
});
