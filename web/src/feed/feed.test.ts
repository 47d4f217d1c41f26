import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { Feed, type FeedPort } from "./feed.ts";
import { event, JOB, OTHER } from "./feed-server.fake.ts";
import { FakeLocks } from "./locks.fake.ts";
import type { FromFeed, ToFeed } from "./messages.ts";

class FakePort implements FeedPort {
  onmessage: FeedPort["onmessage"] = null;
  readonly said: ToFeed[] = [];
  onGone = (): void => undefined;

  postMessage(message: ToFeed): void {
    this.said.push(message);
  }

  tell(message: FromFeed): void {
    this.onmessage?.({ data: message } as MessageEvent<FromFeed>);
  }
}

async function open(given: FakeLocks | null = new FakeLocks()) {
  const locks = given ?? undefined;
  const page = new EventTarget();
  const ports: FakePort[] = [];
  const feed = new Feed({
    locks,
    page,
    open: (onGone) => {
      const port = new FakePort();
      port.onGone = onGone;
      ports.push(port);
      return port;
    },
  });
  const told: string[] = [];
  feed.onState(({ kind }) => told.push(kind));
  feed.onBegin(() => told.push("begins"));
  feed.onEvents((events) => told.push(events.map(({ cursor }) => cursor).join()));
  await settle();
  const port = (at: number): FakePort => {
    const found = ports.at(at);
    assert(found);
    return found;
  };
  const transition = (type: string, persisted: boolean) =>
    page.dispatchEvent(Object.assign(new Event(type), { persisted }));
  return { feed, locks, port, ports, told, page, transition };
}

async function settle(): Promise<void> {
  for (let turns = 0; turns < 4; turns += 1) await turn();
}

const types = (port: FakePort) => port.said.map(({ type }) => type);

test("a tab says hello by a lock that it holds, and hears what it is told", async () => {
  const { feed, locks, port, told } = await open();
  const [hello] = port(0).said;
  assert(hello?.type === "hello");
  assert.deepEqual(locks?.names(), [hello.lock]);
  port(0).tell({ type: "begins" });
  port(0).tell({ type: "state", state: { kind: "live" } });
  port(0).tell({ type: "events", events: [event(1), event(2)] });
  assert.deepEqual(told, ["begins", "live", "1,2"]);
  assert.equal(feed.state.kind, "live");
  assert.equal(types(port(0)).at(-1), "heard", "and says that it dealt with them");
});

test("two places that watch one job are counted", async () => {
  const { feed, port } = await open();
  const watched = () => {
    const last = port(0).said.at(-1);
    return last?.type === "watch" ? last.job_ids : null;
  };
  const first = feed.watch(JOB);
  const second = feed.watch(JOB);
  const other = feed.watch(OTHER);
  first();
  assert.deepEqual(watched(), [JOB, OTHER]);
  second();
  assert.deepEqual(watched(), [OTHER]);
  other();
  assert.deepEqual(watched(), []);
});

test("a page behind the back button lets everything go, and says hello anew with what it watches", async () => {
  const { feed, locks, port, transition } = await open();
  feed.watch(JOB);
  transition("pagehide", true);
  await settle();
  assert.equal(types(port(0)).at(-1), "bye");
  assert.deepEqual(locks?.names(), [], "a page that holds locks may not be kept");
  transition("pageshow", true);
  await settle();
  const [hello, watch] = port(0).said.slice(-2);
  assert.equal(hello?.type, "hello");
  assert.deepEqual(watch, { type: "watch", job_ids: [JOB] });
});

test("a page that is shown for the first time says hello once", async () => {
  const { port, transition } = await open();
  transition("pageshow", false);
  await settle();
  assert.deepEqual(types(port(0)), ["hello", "watch"]);
});

test("when the worker crashes its tabs find out by its lock, show nothing as live, and start another", async () => {
  const { feed, locks, port, ports, told } = await open();
  void locks?.request("worker", () => new Promise(() => undefined));
  feed.watch(JOB);
  port(0).tell({ type: "hello", lock: "worker" });
  port(0).tell({ type: "state", state: { kind: "live" } });
  await settle();
  locks?.crash("worker");
  await settle();
  assert.equal(ports.length, 2);
  assert.deepEqual(told, ["live", "lost"]);
  assert.deepEqual(types(port(1)), ["hello", "watch"]);
  port(0).tell({ type: "state", state: { kind: "live" } });
  assert.equal(feed.state.kind, "lost", "what the dead one may still say does not count");
  port(1).tell({ type: "begins" });
  port(1).tell({ type: "state", state: { kind: "live" } });
  assert.deepEqual(told, ["live", "lost", "begins", "live"]);
});

test("a worker that cannot be started is done without", async () => {
  const { port, ports, told } = await open();
  port(0).onGone();
  await settle();
  assert.equal(ports.length, 2);
  assert.deepEqual(types(port(1)), ["hello", "watch"]);
  assert.deepEqual(told, [], "nothing was live that could be lost");
});

test("without locks it says hello all the same", async () => {
  const { port } = await open(null);
  assert.deepEqual(port(0).said[0], { type: "hello", lock: null });
});

test("a machine that is online again tries at once", async () => {
  const { port, page } = await open();
  page.dispatchEvent(new Event("online"));
  assert.equal(types(port(0)).at(-1), "retry");
});

test("a part of the page that fails at an event does not make the tab deaf", async () => {
  const { feed, port } = await open();
  feed.onEvents(() => {
    throw new Error("it fails");
  });
  assert.throws(() => port(0).tell({ type: "events", events: [event(1)] }), /it fails/);
  assert.equal(types(port(0)).at(-1), "heard");
});
