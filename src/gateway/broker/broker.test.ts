import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { request } from "node:http";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import { PROTOCOLS } from "../../contract/models.ts";
import { BrokerWorld, CALLS, KEY, type Provide, sse } from "./broker-fixture.ts";
import { BODY_MAX_BYTES, CALLS_MAX } from "./request-bodies.ts";

const json =
  (value: unknown, status = 200, headers: Record<string, string> = {}): Provide =>
  (response) => {
    response.writeHead(status, { "content-type": "application/json", ...headers });
    response.end(JSON.stringify(value));
  };

for (const protocol of PROTOCOLS) {
  test(`a call by ${protocol} passes byte for byte, with the real key in the place of the dummy one`, async () => {
    const { path, body } = CALLS[protocol];
    const text = `{ "note": "ü\\u00e9  spaces stay", ${JSON.stringify(body).slice(1)}`;
    await using world = await BrokerWorld.open(json({ ok: " as it is " }), { path: "/base" });
    const answer = await world.call(
      `${path}?key=sealwork`.replace(/\?key.*$/, protocol === "google" ? "$&" : ""),
      {
        body: text,
        headers: {
          authorization: "Bearer sealwork",
          "x-api-key": "sealwork",
          "x-goog-api-key": "sealwork",
          "proxy-authorization": "Basic eA==",
          cookie: "a=b",
          "x-http-method-override": "DELETE",
          "x-goog-user-project": "somebody-elses",
          "anthropic-version": "2023-06-01",
          "anthropic-beta": "some-beta",
          "content-type": "application/json; charset=utf-8",
          "x-custom": "kept",
          connection: "close, x-hop",
          "x-hop": "dropped",
        },
      },
    );
    assert.equal(answer.status, 200);
    assert.equal(answer.body.toString(), '{"ok":" as it is "}');
    const [seen] = world.seen;
    assert(seen);
    assert.equal(seen.body, text);
    assert.equal(seen.url, `/base${path.replace(`/${protocol}`, "")}`);
    const { headers } = seen;
    assert.deepEqual(
      [headers.authorization, headers["x-api-key"], headers["x-goog-api-key"]],
      [
        protocol === "openai" ? `Bearer ${KEY}` : undefined,
        protocol === "anthropic" ? KEY : undefined,
        protocol === "google" ? KEY : undefined,
      ],
    );
    for (const name of [
      "cookie",
      "proxy-authorization",
      "x-http-method-override",
      "x-goog-user-project",
      "x-hop",
    ])
      assert.equal(headers[name], undefined, name);
    assert.equal(headers["anthropic-beta"], "some-beta");
    assert.equal(headers["content-type"], "application/json; charset=utf-8");
    assert.equal(headers["x-custom"], "kept");
    assert.notEqual(headers.host, "127.0.0.1:24801");
    assert.equal(headers["accept-encoding"], "identity");
  });
}

const DENIED: [string, string][] = [
  ["POST", "/google/v1beta/models/x:generateContent/../../../v1/files"],
  ["POST", "/google/../v1beta/models/x:generateContent"],
  ["POST", "/google/v1beta/models/..:generateContent"],
  ["POST", "/google/v1beta/models/%2e%2e:generateContent"],
  ["POST", "/google/v1beta/models/a%2Fb:generateContent"],
  ["POST", "/google/v1beta/models/a/b:generateContent"],
  ["POST", "/google/v1beta/tunedModels/a:generateContent"],
  ["POST", "/google/v1beta/models/x%3AgenerateContent"],
  ["POST", "/google/v1beta/models/x:generateContent%3F"],
  ["POST", "/google/v1beta/models/x:generateContent#y"],
  ["POST", "/google/v1beta/models/x:predict"],
  ["POST", "/google//v1beta/models/x:generateContent"],
  ["POST", "/google\\v1beta/models/x:generateContent"],
  ["POST", "/google/v1beta\\models/x:generateContent"],
  ["GET", "/google/v1beta/models/x:generateContent"],
  ["GET", "/google/v1beta/files"],
  ["GET", "/google/v1beta/models/x/operations/1"],
  ["POST", "/google/upload/v1beta/files"],
  ["POST", "/google/v1beta/models/x:generateContent?access_token=t"],
  ["POST", "/google/v1beta/models/x:generateContent?alt=media"],
  ["POST", "/google/v1beta/models/x:generateContent?alt=sse&alt=media"],
  ["POST", "/google/v1beta/models/x:generateContent?$httpMethod=DELETE"],
  ["DELETE", "/google/v1beta/models/x"],
  ["PUT", "/openai/chat/completions"],
  ["POST", "/openai/chat/completions/"],
  ["POST", "/openai/chat/completions/../files"],
  ["POST", "/openai/chat%2Fcompletions"],
  ["POST", "/openai/files"],
  ["POST", "/openai/responses/r1/cancel"],
  ["GET", "/openai/responses/r1"],
  ["GET", "/openai/models/a/b"],
  ["GET", "/openai/fine_tuning/jobs"],
  ["POST", "/openai@evil.example/chat/completions"],
  ["POST", "/openai:80/chat/completions"],
  ["GET", "/anthropic/v1/organizations/users"],
  ["POST", "/anthropic/v1/messages/batches"],
  ["POST", "/anthropic/messages"],
  ["POST", "/other/v1beta/models/x:generateContent"],
  ["POST", "/nobody/chat/completions"],
  ["POST", "/__proto__/chat/completions"],
  ["POST", "/"],
  ["POST", "*"],
  ["POST", "http://127.0.0.1/openai/chat/completions"],
  ["POST", "//evil.example/openai/chat/completions"],
];
test("nothing but the model routes of the job's own providers passes, however it is written", async () => {
  await using world = await BrokerWorld.open(json({}));
  for (const [method, path] of DENIED) {
    const connection = world.connection();
    connection.end(
      `${method} ${path} HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}`,
    );
    const text = (await connection.toArray()).join("");
    assert.match(text, /^HTTP\/1\.1 (403|400) /, `${method} ${path}`);
    assert.doesNotMatch(text, /AIza/);
  }
  assert.deepEqual(world.seen, []);
  assert.deepEqual(world.reserved, []);
  assert.deepEqual(world.settled, []);
});

test("a refusal has the form that the protocol's SDKs read, and says what to do", async () => {
  await using world = await BrokerWorld.open(json({}));
  const parsed = async (path: string) => JSON.parse((await world.call(path)).body.toString());
  const google = await parsed("/google/v1beta/files");
  assert.deepEqual([google.error.code, google.error.status], [403, "PERMISSION_DENIED"]);
  assert.match(google.error.message, /generateContent.*egress/);
  const openai = await parsed("/openai/files");
  assert.deepEqual([openai.error.type, openai.error.code], ["model_route_denied", "model_route_denied"]);
  const anthropic = await parsed("/anthropic/v1/files");
  assert.deepEqual([anthropic.type, anthropic.error.type], ["error", "permission_error"]);
  assert.match((await parsed("/nobody/x")).error.message, /google, openai, anthropic/);
});

test("lists of models and counts of tokens pass without a reservation or an event", async () => {
  await using world = await BrokerWorld.open(json({ models: [] }));
  world.left = 0;
  for (const [method, path] of [
    ["GET", "/google/v1beta/models?pageSize=5&key=sealwork"],
    ["GET", "/google/v1/models/gemini-2.5-flash"],
    ["POST", "/google/v1beta/models/gemini-2.5-flash:countTokens"],
    ["GET", "/openai/models"],
    ["GET", "/openai/models/llama3:8b"],
    ["GET", "/anthropic/v1/models?limit=10"],
    ["POST", "/anthropic/v1/messages/count_tokens?beta=true"],
  ] as const)
    assert.equal((await world.call(path, { method })).status, 200, path);
  assert.deepEqual([world.seen.length, world.seen[0]?.url], [7, "/v1beta/models?pageSize=5"]);
  assert.deepEqual([world.reserved, world.settled], [[], []]);
});

test("a call that the budget does not allow is refused before it is made, in a form that is not tried again", async () => {
  await using world = await BrokerWorld.open(json({}));
  world.left = 99;
  for (const protocol of PROTOCOLS) {
    const { path, body } = CALLS[protocol];
    const answer = await world.call(path, { body });
    assert.equal(answer.status, 403);
    assert.equal(answer.headers["x-should-retry"], "false");
    assert.match(answer.body.toString(), /budget/);
  }
  assert.deepEqual([world.seen, world.settled], [[], []]);
});

test("what is reserved is what the call allows itself, times the answers it asks for, else what the model allows", async () => {
  await using world = await BrokerWorld.open(json({}));
  const google = "/google/v1beta/models/unknown-model:streamGenerateContent?alt=sse";
  await world.call(google, { body: { generationConfig: { maxOutputTokens: 300, candidateCount: 4 } } });
  await world.call(google, { body: { generation_config: { max_output_tokens: 200 } } });
  await world.call(google, { body: {} });
  await world.call("/openai/chat/completions", { body: { model: "m", max_tokens: 10, n: 3 } });
  await world.call("/openai/responses", { body: { model: "m", max_output_tokens: 70 } });
  await world.call("/openai/responses", {
    body: { model: "m", previous_response_id: "r", max_output_tokens: 1e15 },
  });
  await world.call("/openai/embeddings", { body: { model: "m", input: "x".repeat(2000) } });
  assert.deepEqual(
    world.reserved.map((one) => one.output_tokens),
    [1200, 200, 8192, 30, 70, 128_000, 0],
  );
  assert.equal(world.reserved[5]?.input_tokens, 128_000);
  assert.ok((world.reserved[6]?.input_tokens ?? 0) > 1000);
  assert.equal(world.settled.length, 7);
});

test("a body that cannot be counted is refused before anything is reserved", async () => {
  await using world = await BrokerWorld.open(json({}));
  const { path } = CALLS.openai;
  for (const body of ["", "[]", "null", "{", '{"model": 7}', '{"model": ""}', `${"[".repeat(100_000)}`])
    assert.equal((await world.call(path, { body })).status, 400, body.slice(0, 20));
  const zipped = await world.call(path, { body: "x", headers: { "content-encoding": "gzip" } });
  assert.equal(zipped.status, 400);
  const large = await world.call(path, { body: "", headers: { "content-length": `${BODY_MAX_BYTES + 1}` } });
  assert.equal(large.status, 413);
  assert.deepEqual([world.seen, world.reserved], [[], []]);
});

test("an answer that is compressed after all passes as it is, and is counted", async () => {
  const plain = JSON.stringify({
    usage: { prompt_tokens: 5, completion_tokens: 7 },
    text: "z".repeat(100_000),
  });
  const zipped = gzipSync(plain);
  await using world = await BrokerWorld.open((response) => {
    response.writeHead(200, {
      "content-type": "application/json",
      "content-encoding": "gzip",
      "set-cookie": "a=b",
    });
    for (let i = 0; i < zipped.length; i += 7) response.write(zipped.subarray(i, i + 7));
    response.end();
  });
  const answer = await world.call(CALLS.openai.path, { body: CALLS.openai.body });
  assert.deepEqual(answer.body, zipped);
  assert.equal(answer.headers["content-encoding"], "gzip");
  assert.equal(answer.headers["set-cookie"], undefined);
  const call = await world.settledCall();
  assert.deepEqual([call.input_tokens, call.output_tokens, call.estimated], [5, 7, false]);
});

test("a stream passes part by part as it comes, however it is cut", async () => {
  const stream = sse(
    { choices: [{ delta: { content: "größe 🦭" } }] },
    {
      choices: [],
      usage: { prompt_tokens: 11, completion_tokens: 3, prompt_tokens_details: { cached_tokens: 4 } },
    },
    "[DONE]",
  );
  const bytes = Buffer.from(stream.replaceAll("\n\n", "\r\n\r\n"));
  const first = Promise.withResolvers<void>();
  await using world = await BrokerWorld.open(async (response) => {
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.write(bytes.subarray(0, 10));
    await first.promise;
    for (const byte of bytes.subarray(10)) response.write(Buffer.from([byte]));
    response.end();
  });
  const outgoing = request({
    createConnection: () => world.connection(),
    method: "POST",
    path: CALLS.openai.path,
  });
  outgoing.end(JSON.stringify({ ...CALLS.openai.body, stream: true }));
  const [response] = await once(outgoing, "response");
  const chunks: Buffer[] = [];
  response.on("data", (chunk: Buffer) => {
    chunks.push(chunk);
    // The provider goes on only now, so the first part was not held back.
    first.resolve();
  });
  await once(response, "end");
  outgoing.destroy();
  assert.deepEqual(Buffer.concat(chunks), bytes);
  const call = await world.settledCall();
  assert.deepEqual(
    [call.outcome, call.input_tokens, call.cached_tokens, call.output_tokens, call.estimated],
    ["ok", 11, 4, 3, false],
  );
});

test("a program that does not read holds up the provider, and nothing is lost", async () => {
  const total = 30 * 1024 * 1024;
  const piece = Buffer.alloc(64 * 1024, "data: x\n\n");
  let sent = 0;
  await using world = await BrokerWorld.open((response) => {
    response.writeHead(200, { "content-type": "text/event-stream", "content-length": total });
    const write = (): void => {
      while (sent < total) {
        sent += piece.length;
        if (!response.write(piece)) {
          response.once("drain", write);
          return;
        }
      }
      response.end();
    };
    write();
  });
  const outgoing = request({
    createConnection: () => world.connection(),
    method: "POST",
    path: CALLS.openai.path,
  });
  outgoing.end(JSON.stringify(CALLS.openai.body));
  const [response] = await once(outgoing, "response");
  for (let still = 0, before = -1; still < 300; still = sent === before ? still + 1 : 0, before = sent)
    await new Promise((resolve) => setImmediate(resolve));
  assert.ok(sent < total / 2, `${sent} bytes left the provider`);
  const hash = createHash("sha256");
  let length = 0;
  for await (const chunk of response) {
    hash.update(chunk);
    length += chunk.length;
  }
  assert.equal(length, total);
  outgoing.destroy();
});

test("calls of one job at the same time are bounded, however they come over connections", async () => {
  const held: (() => void)[] = [];
  await using world = await BrokerWorld.open((response) => {
    held.push(() => response.end("{}"));
  });
  const text = JSON.stringify(CALLS.openai.body);
  const one = `POST ${CALLS.openai.path} HTTP/1.1\r\nhost: x\r\ncontent-length: ${text.length}\r\n\r\n${text}`;
  const connections = Array.from({ length: 10 }, () => world.connection());
  for (const connection of connections) connection.resume().write(one.repeat(20));
  for (
    let still = 0, before = -1;
    still < 300;
    still = held.length === before ? still + 1 : 0, before = held.length
  )
    await new Promise((resolve) => setImmediate(resolve));
  assert.equal(held.length, CALLS_MAX);
  const refused = await world.call(CALLS.openai.path, { body: CALLS.openai.body });
  assert.equal(refused.status, 429);
  for (const connection of connections) connection.destroy();
  await world.settledCall(CALLS_MAX);
});
