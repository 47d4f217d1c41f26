import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import { BrokerWorld, CALLS, KEY } from "./broker-fixture.ts";

const { path, body } = CALLS.openai;

test("a refusal that is compressed and breaks off ends its call", async () => {
  await using world = await BrokerWorld.open((response) => {
    const whole = gzipSync(JSON.stringify({ error: { message: "x".repeat(100_000) } }), { level: 0 });
    response.writeHead(400, { "content-encoding": "gzip", "content-length": whole.length });
    response.write(whole.subarray(0, 5000), () => response.destroy());
  });
  const answer = await world.call(path, { body });
  assert.equal(answer.status, 400);
  assert.equal((await world.settledCall()).outcome, "refused");
});

test("half a key at the end of a refusal, cut here or by the provider, does not reach the program", async () => {
  const KEPT = 256 * 1024 - 4 * 1024;
  for (const [before, breaks] of [
    [KEPT - 10, false],
    [256 * 1024 - 10, false],
    [100, true],
  ] as const) {
    await using world = await BrokerWorld.open((response) => {
      const text = "x".repeat(before) + (breaks ? KEY.slice(0, 10) : KEY + "y".repeat(300_000));
      response.writeHead(400, { "content-length": text.length + (breaks ? 100 : 0) });
      if (breaks) response.write(text, () => response.destroy());
      else response.end(text);
    });
    const answer = await world.call(path, { body });
    assert.equal(answer.status, 400);
    assert.ok(!answer.body.toString().includes(KEY.slice(0, 6)), `${before} ${breaks}`);
  }
});

test("what cannot be decoded passes as it is and holds nothing up", async () => {
  for (const sent of [
    Buffer.concat([gzipSync('{"usage":{"prompt_tokens":5}}'), Buffer.alloc(100_000, "z")]),
    Buffer.concat([gzipSync('{"usage":{"prompt_tokens":5}}'), Buffer.alloc(100_000)]),
    Buffer.alloc(200_000, "z"),
  ]) {
    await using world = await BrokerWorld.open((response) => {
      response.writeHead(200, { "content-type": "application/json", "content-encoding": "gzip" });
      response.end(sent);
    });
    const answer = await world.call(path, { body });
    assert.ok(answer.body.equals(sent));
    assert.equal((await world.settledCall()).outcome, "ok");
  }
});

test("a program that leaves in the middle of its request is no fault of the broker", async () => {
  await using world = await BrokerWorld.open((response) => response.end("{}"));
  const program = world.connection();
  program.write(`POST ${path} HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\n{`);
  await new Promise((resolve) => setImmediate(resolve));
  program.destroy();
  await once(program, "close");
  await world.call(path, { body });
  assert.deepEqual(world.logged, []);
});

test("no query makes a call look like one that writes nothing", async () => {
  await using world = await BrokerWorld.open((response) => response.end("{}"));
  await world.call(`${path}?after=embed`, { body });
  assert.equal(world.reserved[0]?.output_tokens, 100);
});

test("bodies of millions of values are refused before they cost memory and time", async () => {
  await using world = await BrokerWorld.open((response) => response.end("{}"));
  const millions = (unit: string) => `{"model":"m","messages":[${Array(2_000_000).fill(unit).join(",")}]}`;
  for (const text of [
    millions("[]"),
    millions("{}"),
    millions("1"),
    `{"model":"m","messages":${"[".repeat(2_000_000)}${"]".repeat(2_000_000)}}`,
  ]) {
    const answer = await world.call(path, { body: text });
    assert.equal(answer.status, 400);
    assert.match(answer.body.toString(), /more than 400000 values/);
  }
  const words = JSON.stringify({
    ...body,
    messages: [{ role: "user", content: '[{,\\"'.repeat(1_000_000) }],
  });
  assert.equal((await world.call(path, { body: words })).status, 200);
  assert.equal(world.seen.length, 1);
});

test("calls that come at once leave turns for others between them", async () => {
  await using world = await BrokerWorld.open((response) => response.end("{}"));
  const turns: number[] = [];
  const reserve = world.outbound.reserve;
  let turn = 0;
  let counting = true;
  const count = () => {
    turn += 1;
    if (counting) setImmediate(count);
  };
  count();
  world.outbound.reserve = (estimate, signal) => {
    turns.push(turn);
    return reserve(estimate, signal);
  };
  await Promise.all(Array.from({ length: 10 }, () => world.call(path, { body })));
  counting = false;
  assert.equal(new Set(turns).size, 10);
});

test("who leaves before the answer begins has used what the model may have written until then", async () => {
  let time = 0;
  for (const [seconds, tokens] of [
    [3, 300],
    [3600, 5000],
  ] as const) {
    const arrived = Promise.withResolvers<void>();
    await using world = await BrokerWorld.open(() => arrived.resolve(), { pace: { now: () => time } });
    const connection = world.connection();
    const text = JSON.stringify({ ...body, max_completion_tokens: 5000 });
    connection.write(`POST ${path} HTTP/1.1\r\nhost: x\r\ncontent-length: ${text.length}\r\n\r\n${text}`);
    await arrived.promise;
    time += seconds * 1000;
    connection.destroy();
    const call = await world.settledCall();
    assert.deepEqual([call.outcome, call.output_tokens, call.estimated], ["failed", tokens, true]);
  }
});

test("an answer that would be written in the background is refused, and each prompt of many is reserved for", async () => {
  await using world = await BrokerWorld.open((response) => response.end("{}"));
  const later = await world.call("/openai/responses", { body: { model: "m", background: true } });
  assert.deepEqual([later.status, world.seen], [400, []]);
  const many = { model: "m", max_tokens: 10 };
  await world.call("/openai/completions", { body: { ...many, prompt: ["a", "b", "c"], n: 2 } });
  await world.call("/openai/completions", { body: { ...many, prompt: [[1, 2], [3]] } });
  await world.call("/openai/completions", { body: { ...many, prompt: [1, 2, 3] } });
  await world.call("/openai/completions", { body: { ...many, prompt: "a" } });
  assert.deepEqual(
    world.reserved.map((one) => one.output_tokens),
    [60, 20, 10, 10],
  );
});
