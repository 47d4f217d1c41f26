import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { LESS_OUTPUT_MS, MORE_OUTPUT_MS, RETRY_MAX_MS } from "./connection.ts";
import { event, FakeServer, JOB, OTHER, output } from "./feed-server.fake.ts";
import { FakeTime } from "./feed-time.fake.ts";
import { FakeLocks } from "./locks.fake.ts";
import type { FromFeed, ToFeed } from "./messages.ts";
import { FeedTabs, type Port, UNHEARD_MAX_CHARS } from "./tabs.ts";

let tabs: FeedTabs | null = null;
afterEach(() => tabs?.[Symbol.dispose]());

/** A tab as the worker sees it. */
class FakeTab implements Port {
  onmessage: Port["onmessage"] = null;
  readonly told: string[] = [];
  events = 0;

  postMessage(message: FromFeed): void {
    if (message.type === "state") this.told.push(message.state.kind);
    else if (message.type !== "events") this.told.push(message.type);
    else {
      this.events += message.events.length;
      this.told.push(message.events.map(({ cursor }) => cursor).join());
    }
  }

  say(message: ToFeed): void {
    this.onmessage?.({ data: message } as MessageEvent<ToFeed>);
  }
}

function open() {
  const time = new FakeTime();
  const server = new FakeServer();
  const locks = new FakeLocks();
  tabs = new FeedTabs({ fetch: server.fetch, time, locks, lock: "worker" });
  const tab = (lock: string | null = null): FakeTab => {
    const one = new FakeTab();
    tabs?.add(one);
    one.say({ type: "hello", lock });
    return one;
  };
  return { time, server, locks, tab };
}

async function settle(): Promise<void> {
  for (let turns = 0; turns < 6; turns += 1) await turn();
}

test("ten tabs have one stream, and each is told everything once", async () => {
  const { server, tab } = open();
  const early = Array.from({ length: 9 }, () => tab());
  const stream = (await server.next()).begin(0);
  await settle();
  const late = tab();
  stream.send(event(1), event(2));
  await settle();
  for (const one of early) assert.deepEqual(one.told, ["hello", "connecting", "begins", "live", "1,2"]);
  assert.deepEqual(late.told, ["hello", "begins", "live", "1,2"], "one that comes later begins at once");
  assert.equal(server.requests.length, 1);
});

test("a tab is told the output of the jobs that it watches, and no others", async () => {
  const { time, server, tab } = open();
  const [list, one, both] = [tab(), tab(), tab()];
  await server.next();
  one.say({ type: "watch", job_ids: [JOB] });
  both.say({ type: "watch", job_ids: [OTHER, JOB] });
  time.pass(MORE_OUTPUT_MS);
  const stream = (await server.next()).begin(0);
  assert.equal(stream.output_of, `${JOB},${OTHER}`);
  await settle();
  stream.send(output(1), output(2, OTHER), event(3));
  await settle();
  assert.deepEqual([list.told.at(-1), one.told.at(-1), both.told.at(-1)], ["3", "1,3", "1,2,3"]);
});

test("a tab that says farewell, and one that crashes, are told and watched for no more", async () => {
  const { time, server, locks, tab } = open();
  const left = tab();
  left.say({ type: "watch", job_ids: [JOB] });
  void locks.request("tab-lock", () => new Promise(() => undefined));
  const crashed = tab("tab-lock");
  crashed.say({ type: "watch", job_ids: [OTHER] });
  await server.next();
  time.pass(MORE_OUTPUT_MS);
  const stream = (await server.next()).begin(0);
  await settle();
  left.say({ type: "bye" });
  locks.crash("tab-lock");
  await settle();
  time.pass(LESS_OUTPUT_MS);
  const next = (await server.next()).begin();
  assert.deepEqual([stream.gone, next.output_of], [true, null]);
  const told = [left.told.length, crashed.told.length];
  await settle();
  next.send(event(1));
  await settle();
  assert.deepEqual([left.told.length, crashed.told.length], told);
});

test("a tab that comes back begins anew, and the end of what it held before is not its own", async () => {
  const { server, locks, tab } = open();
  void locks.request("before", () => new Promise(() => undefined));
  void locks.request("after", () => new Promise(() => undefined));
  const one = tab("before");
  const stream = (await server.next()).begin(0);
  await settle();
  one.say({ type: "bye" });
  stream.send(event(1));
  await settle();
  one.say({ type: "hello", lock: "after" });
  locks.crash("before");
  await settle();
  stream.send(event(2));
  await settle();
  assert.deepEqual(one.told, ["hello", "connecting", "begins", "live", "begins", "live", "2"]);
});

test("a frozen tab is sent no more than a bound, and begins anew when it is awake; others miss nothing", async () => {
  const { time, server, tab } = open();
  const [frozen, awake] = [tab(), tab()];
  for (const one of [frozen, awake]) one.say({ type: "watch", job_ids: [JOB] });
  await server.next();
  time.pass(MORE_OUTPUT_MS);
  const stream = (await server.next()).begin(0);
  await settle();
  const text = "x".repeat(40_000);
  const events = Math.ceil((3 * UNHEARD_MAX_CHARS) / text.length);
  for (let cursor = 1; cursor <= events; cursor += 1) {
    stream.send(output(cursor, JOB, text));
    await settle();
    awake.say({ type: "heard" });
  }
  assert.equal(awake.events, events);
  assert.ok(frozen.events * text.length <= UNHEARD_MAX_CHARS, `${frozen.events} events wait for it`);
  stream.end();
  await settle();
  assert.notEqual(frozen.told.at(-1), "lost", "it is sent nothing at all");
  time.pass(RETRY_MAX_MS);
  const again = (await server.next()).begin();
  await settle();
  for (let heard = frozen.events; heard > 0; heard -= 1) frozen.say({ type: "heard" });
  assert.deepEqual(frozen.told.slice(-2), ["begins", "live"]);
  again.send(event(events + 1));
  await settle();
  assert.equal(frozen.told.at(-1), String(events + 1));
});

test("one batch may be larger than the bound: nobody waits for what can never be sent", async () => {
  const { time, server, tab } = open();
  const one = tab();
  one.say({ type: "watch", job_ids: [JOB] });
  await server.next();
  time.pass(MORE_OUTPUT_MS);
  const stream = (await server.next()).begin(0);
  await settle();
  const text = "x".repeat(40_000);
  const lines = Array.from({ length: 250 }, (_, n) => output(n + 1, JOB, text));
  stream.send(...lines);
  await settle();
  assert.equal(one.events, 250);
});
