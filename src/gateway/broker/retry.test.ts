import assert from "node:assert/strict";
import { createServer } from "node:net";
import { test } from "node:test";
import { PROTOCOLS } from "../../contract/models.ts";
import { BrokerWorld, CALLS, KEY, type Provide } from "./broker-fixture.ts";
import { ATTEMPTS_MAX, askedPause, RETRY_MAX_MS } from "./retry.ts";

const { path, body } = CALLS.openai;

/** Refuses as told, once for each entry, and then answers. */
const refusing =
  (...refusals: [number, Record<string, string>, unknown?][]): Provide =>
  (response, _seen, n) => {
    const refusal = refusals[n - 1];
    if (refusal === undefined) {
      response.writeHead(200, { "content-type": "application/json" });
      response.end('{"usage":{"prompt_tokens":1,"completion_tokens":2}}');
      return;
    }
    response.writeHead(refusal[0], { "content-type": "application/json", ...refusal[1] });
    response.end(JSON.stringify(refusal[2] ?? { error: { message: "busy" } }));
  };

test("rate limits and faults of a provider are waited out as it asks, with the same body, and stored as one call", async () => {
  await using world = await BrokerWorld.open(
    refusing(
      [429, { "retry-after": "7" }],
      [503, {}],
      [429, {}, { error: { details: [{ "@type": "…RetryInfo", retryDelay: "12.5s" }] } }],
      [529, { "retry-after-ms": "250" }],
    ),
  );
  const answer = await world.call(path, { body });
  assert.equal(answer.status, 200);
  assert.deepEqual(world.slept, [7000, 1000, 12_500, 250]);
  assert.equal(new Set(world.seen.map((seen) => seen.body)).size, 1);
  assert.equal(world.seen.length, 5);
  const call = await world.settledCall();
  assert.deepEqual([call.attempts, call.outcome, call.output_tokens, world.settled.length], [5, "ok", 2, 1]);
  assert.ok(call.duration_ms >= 20_000);
});

test("when no attempt is left the provider's own refusal is passed on", async () => {
  await using world = await BrokerWorld.open(
    refusing(
      ...Array.from({ length: 9 }, (_, i): [number, Record<string, string>, unknown] => [503, {}, { n: i }]),
    ),
  );
  const answer = await world.call(path, { body });
  assert.deepEqual([answer.status, JSON.parse(answer.body.toString())], [503, { n: ATTEMPTS_MAX - 1 }]);
  assert.equal(world.seen.length, ATTEMPTS_MAX);
  const call = await world.settledCall();
  assert.deepEqual(
    [call.outcome, call.http_status, call.attempts, call.input_tokens, call.output_tokens, call.estimated],
    ["refused", 503, ATTEMPTS_MAX, 0, 0, false],
  );
});

test("who would have to wait too long is told at once, and what will not change is not tried again", async () => {
  for (const [status, headers, refusal] of [
    [429, { "retry-after": String(RETRY_MAX_MS / 1000 + 1) }, undefined],
    [429, {}, { error: { code: "insufficient_quota" } }],
    [400, {}, undefined],
    [401, {}, undefined],
    [404, {}, undefined],
    [501, {}, undefined],
  ] as [number, Record<string, string>, unknown][]) {
    await using world = await BrokerWorld.open(refusing([status, headers, refusal]));
    assert.equal((await world.call(path, { body })).status, status);
    assert.deepEqual([world.seen.length, world.slept.length], [1, 0], String(status));
    assert.equal((await world.settledCall()).outcome, "refused");
  }
});

test("a pause is read from seconds, a date or milliseconds, and what is none is none", () => {
  const now = Date.parse("2026-01-01T00:00:00Z");
  const pause = (value: string) => askedPause({ "retry-after": value }, "", now);
  assert.equal(pause("3"), 3000);
  assert.equal(pause("Thu, 01 Jan 2026 00:00:09 GMT"), 9000);
  assert.equal(pause("Thu, 01 Jan 2020 00:00:00 GMT"), 0);
  assert.deepEqual([pause(""), pause("soon"), askedPause({}, '"retryDelay": "x"', now)], [null, null, null]);
});

test("a connection that breaks before an answer is made again, one that breaks within it is not", async () => {
  await using world = await BrokerWorld.open((response, _seen, n) => {
    if (n === 1) response.socket?.destroy();
    else {
      response.writeHead(200, { "content-type": "text/event-stream" });
      response.write('data: {"choices":[{"delta":{"content":"only half of wh"}}]}\n\n', () =>
        setImmediate(() => response.socket?.destroy()),
      );
    }
  });
  const answer = await world.call(path, { body });
  assert.deepEqual([answer.status, answer.whole, world.seen.length], [200, false, 2]);
  assert.match(answer.body.toString(), /only half/);
  const call = await world.settledCall();
  assert.deepEqual([call.outcome, call.http_status, call.attempts, call.estimated], ["cut", 200, 2, true]);
  assert.ok(call.input_tokens > 0 && call.output_tokens > 0);
  assert.equal(world.settled.length, 1);
});

test("a provider that nobody is behind is an error that says what to check", async () => {
  await using world = await BrokerWorld.open(refusing());
  const nobody = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => nobody.once("listening", resolve));
  nobody.close();
  await world[Symbol.asyncDispose]();
  for (const protocol of PROTOCOLS) {
    const answer = await world.call(CALLS[protocol].path, { body: CALLS[protocol].body });
    assert.equal(answer.status, 502);
    assert.match(JSON.parse(answer.body.toString()).error.message, /could not be reached.*base_url/);
  }
  const call = await world.settledCall();
  assert.deepEqual([call.outcome, call.http_status, call.attempts], ["failed", null, ATTEMPTS_MAX]);
});

test("a redirect is never followed, since it could carry the key elsewhere", async () => {
  for (const status of [301, 302, 307, 308]) {
    await using world = await BrokerWorld.open((response) => {
      response.writeHead(status, { location: "/elsewhere" });
      response.end();
    });
    const answer = await world.call(path, { body });
    assert.deepEqual([answer.status, answer.headers.location, world.seen.length], [502, undefined, 1]);
    assert.match(answer.body.toString(), /redirect/);
    assert.equal((await world.settledCall()).outcome, "failed");
  }
});

test("a key that a provider writes back reaches neither the program nor the log", async () => {
  const spellings = [
    KEY,
    encodeURIComponent(KEY),
    JSON.stringify(KEY).replaceAll("/", "\\/"),
    Buffer.from(KEY).toString("base64"),
  ];
  for (const status of [400, 401, 403, 500]) {
    await using world = await BrokerWorld.open((response) => {
      response.writeHead(status, { "x-echo": `key=${KEY}`, "content-type": "text/plain" });
      response.end(`Incorrect API key provided: ${spellings.join(" or ")}.`);
    });
    for (const protocol of PROTOCOLS) {
      const answer = await world.call(CALLS[protocol].path, { body: CALLS[protocol].body });
      const all = `${answer.body} ${JSON.stringify(answer.headers)} ${world.logged.join("\n")} ${JSON.stringify(world.settled)}`;
      assert.match(answer.body.toString(), /Incorrect API key provided: \[key removed\]/);
      for (const spelling of spellings) assert.ok(!all.includes(spelling), `${status} gave ${spelling}`);
    }
  }
});

test("a program that leaves while its call waits or is answered ends it at the provider too, and it is stored once", async () => {
  for (const [answering, leave] of [
    [false, "destroy"],
    [true, "destroy"],
    [false, "end"],
    [true, "end"],
  ] as const) {
    const arrived = Promise.withResolvers<void>();
    const left = Promise.withResolvers<void>();
    await using world = await BrokerWorld.open((response) => {
      response.once("close", left.resolve);
      if (answering) {
        response.writeHead(200, { "content-type": "text/event-stream" });
        response.write('data: {"choices":[{"delta":{"content":"hello"}}]}\n\n');
      }
      arrived.resolve();
    });
    const connection = world.connection();
    const text = JSON.stringify(body);
    connection.write(`POST ${path} HTTP/1.1\r\nhost: x\r\ncontent-length: ${text.length}\r\n\r\n${text}`);
    await arrived.promise;
    if (answering) await new Promise((resolve) => connection.once("data", resolve));
    connection.resume()[leave]();
    await left.promise;
    const call = await world.settledCall();
    assert.deepEqual([call.outcome, call.estimated], [answering ? "cut" : "failed", true]);
    assert.ok(call.input_tokens > 0, "the provider was sent the input");
    assert.equal(world.settled.length, 1);
  }
});
