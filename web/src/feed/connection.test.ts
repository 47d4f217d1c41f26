import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { OUTPUT_OF_MAX } from "../../../src/contract/api.ts";
import {
  FeedConnection,
  LESS_OUTPUT_MS,
  MORE_OUTPUT_MS,
  OUTPUTS_MAX,
  RETRY_MAX_MS,
  SILENCE_MAX_MS,
} from "./connection.ts";
import { event, FakeServer, JOB, OTHER, output } from "./feed-server.fake.ts";
import { FakeTime } from "./feed-time.fake.ts";

let connection: FeedConnection | null = null;
afterEach(() => connection?.[Symbol.dispose]());

function connect() {
  const time = new FakeTime();
  const server = new FakeServer();
  const told: string[] = [];
  connection = new FeedConnection({
    fetch: server.fetch,
    time,
    onState: (state) =>
      told.push(state.kind === "lost" ? (state.retry_at === null ? "trying" : "lost") : state.kind),
    onBegin: () => told.push("begins"),
    onEvents: (events) => told.push(...events.map(({ cursor }) => String(cursor))),
  });
  return { time, server, told, connection };
}

/** Lets what was sent be read: a chunk passes through some promises. */
async function settle(): Promise<void> {
  for (let turns = 0; turns < 5; turns += 1) await turn();
}

test("a stream begins, tells events in order, and goes on behind the last one when it broke off", async () => {
  const { time, server, told } = connect();
  const first = (await server.next()).begin(7);
  assert.equal(first.after, null);
  await settle();
  first.send(event(8), event(9));
  first.write(`${JSON.stringify(event(10)).slice(0, 20)}`);
  await settle();
  first.end();
  await settle();
  time.pass(RETRY_MAX_MS);
  const second = (await server.next()).begin();
  assert.equal(second.after, "9", "the line that was cut has to come again");
  await settle();
  second.send(event(9), event(10), event(11));
  await settle();
  assert.deepEqual(told, ["connecting", "begins", "live", "8", "9", "lost", "trying", "live", "10", "11"]);
});

test("characters and lines may be cut anywhere", async () => {
  const { server, told } = connect();
  const request = (await server.next()).begin(0);
  const bytes = new TextEncoder().encode(
    `\n${JSON.stringify(output(1, JOB, "ž🐴"))}\n\n${JSON.stringify(event(2))}\n`,
  );
  for (const byte of bytes) request.write(new Uint8Array([byte]));
  for (let turns = 0; turns < bytes.length; turns += 1) await turn();
  assert.deepEqual(told, ["connecting", "begins", "live", "1", "2"]);
});

test("a stream of which nothing was told yet goes on where it said that it begins", async () => {
  const { time, server, told } = connect();
  (await server.next()).begin(41).end();
  await settle();
  time.pass(RETRY_MAX_MS);
  const second = await server.next();
  assert.equal(second.after, "41");
  second.begin();
  await settle();
  assert.deepEqual(told, ["connecting", "begins", "live", "lost", "trying", "live"], "it begins once");
});

test("a server that does not know the last event has another history, and everything begins anew", async () => {
  const { time, server, told } = connect();
  const first = (await server.next()).begin(500);
  await settle();
  first.end();
  await settle();
  time.pass(RETRY_MAX_MS);
  const second = (await server.next()).begin(3);
  await settle();
  second.send(event(4));
  await settle();
  assert.deepEqual(told, ["connecting", "begins", "live", "lost", "trying", "begins", "live", "4"]);
});

test("tries are ever further apart up to a bound, and one that was asked for comes at once", async () => {
  const { time, server, told } = connect();
  const waits: (number | null)[] = [];
  for (let tries = 0; tries < 7; tries += 1) {
    (await server.next()).fail();
    await settle();
    waits.push(time.next_ms);
    time.pass(time.next_ms ?? 0);
  }
  assert.deepEqual(waits, [375, 750, 1500, 3000, 6000, 6000, 6000]);
  (await server.next()).refuse(503);
  await settle();
  connection?.retry();
  (await server.next()).begin(0);
  await settle();
  assert.equal(told.at(-1), "live");
});

test("while it is lost it says since when, through all tries", async () => {
  const time = new FakeTime();
  const server = new FakeServer();
  const since: number[] = [];
  const began = time.now();
  connection = new FeedConnection({
    fetch: server.fetch,
    time,
    onState: (state) => state.kind === "lost" && since.push(state.since),
    onBegin: () => undefined,
    onEvents: () => undefined,
  });
  for (let tries = 0; tries < 3; tries += 1) {
    (await server.next()).fail();
    await settle();
    time.pass(RETRY_MAX_MS);
    await settle();
  }
  assert.deepEqual(since, Array(6).fill(began));
});

test("silence ends an attempt, a heartbeat keeps it", async () => {
  const { time, server, told } = connect();
  const first = (await server.next()).begin(0);
  await settle();
  for (let beats = 0; beats < 3; beats += 1) {
    time.pass(SILENCE_MAX_MS - 1);
    first.write("\n");
    await settle();
  }
  assert.equal(first.gone, false);
  time.pass(SILENCE_MAX_MS);
  await settle();
  assert.equal(first.gone, true);
  assert.deepEqual(told, ["connecting", "begins", "live", "lost"]);
});

test("a request that is never answered is given up too", async () => {
  const { time, server, told } = connect();
  const first = await server.next();
  time.pass(SILENCE_MAX_MS);
  await settle();
  assert.equal(first.gone, true);
  assert.deepEqual(told, ["connecting", "lost"]);
});

test("who is signed out waits for a sign-in, without trying", async () => {
  const { time, server, told } = connect();
  const first = (await server.next()).begin(4);
  await settle();
  first.end();
  await settle();
  time.pass(RETRY_MAX_MS);
  (await server.next()).refuse(401);
  await settle();
  assert.equal(time.next_ms, null, "nothing is tried by itself");
  connection?.retry();
  const back = (await server.next()).begin();
  assert.equal(back.after, "4");
  await settle();
  assert.deepEqual(told, ["connecting", "begins", "live", "lost", "trying", "signed_out", "live"]);
});

for (const [what, line] of [
  ["no JSON", "<html>\n"],
  ["null", "null\n"],
  ["no event", '{"cursor":"9","type":"job.started"}\n'],
  ["a line without end", "x".repeat(1024 * 1024 + 1)],
] as const)
  test(`a stream with ${what} in it is broken, and tried less and less`, async () => {
    const { time, server, told } = connect();
    const waits: (number | null)[] = [];
    for (let tries = 0; tries < 3; tries += 1) {
      const request = (await server.next()).begin(1);
      await settle();
      request.write(line);
      await settle();
      assert.equal(request.gone, true);
      waits.push(time.next_ms);
      time.pass(time.next_ms ?? 0);
    }
    assert.deepEqual(waits, [375, 750, 1500]);
    assert.deepEqual(told.slice(0, 4), ["connecting", "begins", "live", "lost"]);
  });

test("an answer that is no stream of events is not taken for one", async () => {
  const { server, told } = connect();
  (await server.next()).refuse(200, { "content-type": "text/html" });
  await settle();
  assert.deepEqual(told, ["connecting", "lost"]);
});

test("other outputs open the stream anew behind the last event, and nobody hears of it", async () => {
  const { time, server, told } = connect();
  const first = (await server.next()).begin(0);
  await settle();
  first.send(event(1));
  await settle();
  connection?.watch([OTHER, JOB, JOB.toUpperCase()]);
  time.pass(MORE_OUTPUT_MS);
  const second = (await server.next()).begin();
  assert.deepEqual([first.gone, second.after, second.output_of], [true, "1", `${JOB},${OTHER}`]);
  await settle();
  second.send(output(2), event(3));
  await settle();
  assert.deepEqual(told, ["connecting", "begins", "live", "1", "live", "2", "3"]);
});

test("a page that goes as another comes opens the stream once; less output is no hurry", async () => {
  const { time, server } = connect();
  connection?.watch([JOB]);
  const first = await server.next();
  assert.equal(first.output_of, null, "the first request was under way already");
  connection?.watch([]);
  connection?.watch([OTHER]);
  time.pass(MORE_OUTPUT_MS);
  const second = (await server.next()).begin(0);
  assert.deepEqual([first.gone, second.output_of], [true, OTHER]);
  await settle();
  connection?.watch([]);
  time.pass(LESS_OUTPUT_MS - 1);
  connection?.watch([OTHER]);
  time.pass(LESS_OUTPUT_MS);
  await settle();
  assert.equal(second.gone, false, "it came back in time");
  connection?.watch([]);
  time.pass(LESS_OUTPUT_MS);
  assert.equal((await server.next()).output_of, null);
});

test("what is no job is not watched, and of very many the last ones are", async () => {
  const { time, server } = connect();
  const ids = Array.from({ length: OUTPUTS_MAX + 10 }, (_, n) => `${JOB.slice(0, -3)}${100 + n}`);
  connection?.watch(["../jobs", "", "a,b", ...ids]);
  time.pass(MORE_OUTPUT_MS);
  await server.next();
  const output_of = (await server.next()).output_of?.split(",");
  assert.deepEqual(output_of, ids.slice(10));
  assert.equal(OUTPUTS_MAX, OUTPUT_OF_MAX, "as many as the server takes");
});

test("once it is disposed of it asks nothing any more", async () => {
  const { time, server, told } = connect();
  const request = (await server.next()).begin(0);
  await settle();
  connection?.[Symbol.dispose]();
  await settle();
  time.pass(10 * RETRY_MAX_MS);
  await settle();
  assert.deepEqual(
    [request.gone, server.requests.length, told.at(-1), time.next_ms],
    [true, 1, "live", null],
  );
});
