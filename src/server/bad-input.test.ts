import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import net from "node:net";
import { after, before, test } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { ErrorBody } from "../contract/error-body.ts";
import { raw, startServer, type TestServer } from "./test-server.fake.ts";

let server: TestServer;
before(async () => {
  server = await startServer({ json_max_bytes: 1_000_000, upload_max_bytes: 1_000_000 });
});
after(() => server[Symbol.asyncDispose]());

async function failure(path: string, init: RequestInit = {}) {
  const answer = await fetch(`${server.url}${path}`, init);
  const { error } = ErrorBody.parse(await answer.json());
  return { status: answer.status, headers: answer.headers, ...error };
}
const post = (body: string, type = "application/json") =>
  failure("/schedule", { method: "POST", headers: { "content-type": type }, body });
const job = (fields: object) => post(JSON.stringify({ prompt: "x", ...fields }));

test("a body that is not JSON, or none, is 400 invalid_json", async () => {
  for (const body of ["{", "", "not json", '{"__proto__": {}}']) {
    const { status, code } = await post(body);
    assert.deepEqual([body, status, code], [body, 400, "invalid_json"]);
  }
});

test("a body that breaks the schema is 422 and names the field as FastAPI does", async () => {
  const cases: [object, (string | number)[], string][] = [
    [{ prompt: 5 }, ["body", "prompt"], "invalid_type"],
    [{ prompt: "  " }, ["body", "prompt"], "value_error"],
    [{ prompt: "x".repeat(600_000) }, ["body", "prompt"], "too_big"],
    [{ limits: { cpus: 0 } }, ["body", "limits", "cpus"], "too_small"],
    [{ limits: { memory_bytes: -1 } }, ["body", "limits", "memory_bytes"], "too_small"],
    [{ limits: { timeout_s: 1e12 } }, ["body", "limits", "timeout_s"], "too_big"],
    [{ limits: { gpu: 1 } }, ["body", "limits", "gpu"], "extra_forbidden"],
    [{ promt: "x" }, ["body", "promt"], "extra_forbidden"],
  ];
  for (const [fields, loc, type] of cases) {
    const { status, code, details } = await job(fields);
    assert.deepEqual([status, code], [422, "invalid_request"]);
    assert.deepEqual([details?.[0]?.loc, details?.[0]?.type], [loc, type]);
  }
  const missing = await post("{}");
  assert.deepEqual(missing.details?.[0], {
    loc: ["body", "prompt"],
    msg: "The field is required.",
    type: "missing",
  });
  const array = await post("[]");
  assert.deepEqual([array.status, array.details?.[0]?.loc], [422, ["body"]]);
});

test("an answer names at most fifty faults, however many there are", async () => {
  const { details } = await job(Object.fromEntries(Array.from({ length: 5000 }, (_, n) => [`field${n}`, 1])));
  assert.equal(details?.length, 50);
});

test("ids: malformed is 400, unknown is 404", async () => {
  const unknown = randomUUID();
  for (const route of [
    "/status/ID",
    "/job/ID",
    "/jobs/ID/events",
    "/jobs/ID/logs",
    "/logs/ID",
    "/download/ID",
    "/jobs/ID/files",
  ]) {
    const malformed = await failure(route.replace("ID", "17"));
    assert.deepEqual([route, malformed.status, malformed.code], [route, 400, "invalid_id"]);
    const missing = await failure(route.replace("ID", unknown));
    assert.deepEqual([route, missing.status, missing.code], [route, 404, "not_found"]);
  }
  const long = await failure(`/status/${"a".repeat(5000)}`);
  assert.deepEqual([long.status, long.code], [400, "invalid_id"]);
  const blob = await failure(`/jobs/${unknown}/blobs/..`.replace("..", "XYZ"));
  assert.deepEqual([blob.status, blob.code], [400, "invalid_id"]);
});

test("what is said, answered or opened is judged before anything is done", async () => {
  const { job_id } = server.orchestrator.add();
  const send = (path: string, body: string, type = "application/json") =>
    failure(path, { method: "POST", headers: { "content-type": type }, body });
  for (const [path, body, loc, type] of [
    ["messages", "{}", ["body", "text"], "missing"],
    ["messages", '{"text": " \\n "}', ["body", "text"], "value_error"],
    ["messages", '{"text": "a\\u0000b"}', ["body", "text"], "value_error"],
    ["messages", JSON.stringify({ text: "x".repeat(32_001) }), ["body", "text"], "too_big"],
    ["messages", '{"text": "x", "to": "y"}', ["body", "to"], "extra_forbidden"],
    ["approvals/1", '{"decision": "yes"}', ["body", "decision"], "invalid_value"],
    ["approvals/1", "{}", ["body", "decision"], "invalid_value"],
    ["egress", '{"host": "10.0.0.1"}', ["body", "host"], "invalid_format"],
    ["egress", '{"host": "http://example.org/"}', ["body", "host"], "invalid_format"],
    ["egress", '{"host": "*"}', ["body", "host"], "invalid_format"],
  ] as const) {
    const { status, details } = await send(`/jobs/${job_id}/${path}`, body);
    assert.deepEqual([path, body, status], [path, body, 422]);
    assert.deepEqual([details?.[0]?.loc, details?.[0]?.type], [loc, type], `${path} ${body}`);
  }
  for (const path of ["messages", "approvals/1", "egress"]) {
    const route = `/jobs/${job_id}/${path}`;
    assert.equal((await send(route, "{")).code, "invalid_json");
    assert.equal((await send(route, "text=x", "application/x-www-form-urlencoded")).status, 415);
    const unknown = `/jobs/${randomUUID()}/${path}`;
    const valid = {
      messages: '{"text":"x"}',
      "approvals/1": '{"decision":"deny"}',
      egress: '{"host":"a.example"}',
    };
    assert.equal((await send(unknown, valid[path as keyof typeof valid])).code, "not_found");
    assert.equal((await send(`/jobs/17/${path}`, "{}")).code, "invalid_id");
  }
  for (const n of ["0", "-1", "1.5", "x"]) {
    const { status, code, message } = await send(`/jobs/${job_id}/approvals/${n}`, '{"decision":"allow"}');
    assert.deepEqual([n, status, code], [n, 400, "invalid_id"]);
    assert.match(message, /whole number/);
  }
  for (const port of ["0", "65536", "x"]) {
    const { status, code, message } = await send(`/jobs/${job_id}/ports/${port}/open`, "");
    assert.deepEqual([port, status, code], [port, 400, "invalid_id"]);
    assert.match(message, /A port is a whole number from 1 to 65535/);
  }
  assert.deepEqual(server.orchestrator.said, []);
  assert.deepEqual(server.orchestrator.all.get(job_id)?.egress.hosts, []);
});

test("an id in upper case is the same id", async () => {
  const { job_id } = server.orchestrator.add();
  const answer = await fetch(`${server.url}/status/${job_id.toUpperCase()}`);
  assert.equal(((await answer.json()) as { job_id: string }).job_id, job_id);
});

test("wrong routes are 404, wrong methods 405 with Allow, whatever the body is", async () => {
  const route = await failure("/nothing", { method: "POST", body: "x" });
  assert.deepEqual([route.status, route.code], [404, "not_found"]);
  const method = await failure("/schedule", { method: "GET" });
  assert.deepEqual(
    [method.status, method.code, method.headers.get("allow")],
    [405, "method_not_allowed", "POST"],
  );
  const put = await failure(`/status/${randomUUID()}`, { method: "PUT", body: "x" });
  assert.deepEqual([put.status, put.headers.get("allow")], [405, "GET, HEAD"]);
});

test("a client that sends the whole of a body that is too large can do so, and then reads the answer", async () => {
  const size = 24 * 1024 * 1024;
  const { port } = new URL(server.url);
  const socket = net.connect(Number(port), "127.0.0.1");
  const piece = Buffer.alloc(64 * 1024, "x");
  socket.write(
    `POST /schedule HTTP/1.1\r\nhost: 127.0.0.1:${port}\r\ncontent-type: application/json\r\ncontent-length: ${size}\r\n\r\n`,
  );
  for (let sent = 0; sent < size; sent += piece.length) if (!socket.write(piece)) await once(socket, "drain");
  const [answer] = await once(socket, "data");
  socket.destroy();
  assert.match(String(answer), /^HTTP\/1.1 413 .*body_too_large/s);
});

test("content types that are not taken are 415, bodies that are too large 413", async () => {
  for (const type of ["text/plain", "application/xml", "nonsense"]) {
    const { status, code } = await post("x", type);
    assert.deepEqual([type, status, code], [type, 415, "unsupported_media_type"]);
  }
  const large = await job({ prompt: "x".repeat(1_000_001) });
  assert.deepEqual([large.status, large.code], [413, "body_too_large"]);
});

test("paths that lead out of the workspace are 400 in any encoding, in routes and in queries", async () => {
  const { job_id } = server.orchestrator.add();
  const paths = [
    "../x",
    "a/../../x",
    "%2e%2e/x",
    "%2e%2e%2fx",
    "..%2fx",
    "%252e%252e%252fx",
    "..%5cx",
    "/etc/passwd",
    "a//b",
    "./a",
    "a%00b",
    "%2fetc",
  ];
  for (const path of paths) {
    for (const url of [`/jobs/${job_id}/files/${path}`, `/jobs/${job_id}/files?path=${path}`]) {
      const text = await raw(
        server.port,
        `GET ${url} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`,
      );
      assert.match(text, /^HTTP\/1.1 400 [\s\S]*"code":"invalid_path"/, `${url}: ${text.slice(0, 80)}`);
    }
  }
  const encoding = await failure(`/jobs/${job_id}/files/%zz`);
  assert.deepEqual([encoding.status, encoding.code], [400, "invalid_path"]);
});

test("queries are validated, unknown parameters named", async () => {
  const { job_id } = server.orchestrator.add();
  for (const query of [
    "after=x",
    "after=-1",
    "types=nonsense",
    "nope=1",
    "types=job.ended&types=job.ended",
  ]) {
    const { status, details } = await failure(`/jobs/${job_id}/events?${query}`);
    assert.deepEqual([query, status, details?.[0]?.loc[0]], [query, 422, "query"]);
  }
  const header = await failure(`/jobs/${job_id}/events`, { headers: { "last-event-id": "abc" } });
  assert.deepEqual(header.details?.[0]?.loc, ["header", "last-event-id"]);
  const accept = await failure(`/jobs/${job_id}/events`, { headers: { accept: "image/png" } });
  assert.equal(accept.status, 406);
});

test("an Idempotency-Key must be short and printable", async () => {
  for (const key of ["x".repeat(256), "a b"]) {
    const { status, details } = await failure("/schedule", {
      method: "POST",
      headers: { "content-type": "application/json", "idempotency-key": key },
      body: '{"prompt":"x"}',
    });
    assert.deepEqual([status, details?.[0]?.loc], [422, ["header", "idempotency-key"]]);
  }
});

test("garbage on the socket and headers that are too large get the error format", async () => {
  const garbage = await raw(server.port, "\x16\x03\x01 hello\r\n\r\n");
  assert.match(garbage, /^HTTP\/1.1 400 [\s\S]*"code":"malformed_request"/);
  const headers = await raw(
    server.port,
    `GET / HTTP/1.1\r\nHost: localhost\r\nX: ${"x".repeat(70_000)}\r\n\r\n`,
  );
  assert.match(headers, /^HTTP\/1.1 431 [\s\S]*"code":"headers_too_large"/);
});

test("a fault of the server tells the client nothing and the log everything", async () => {
  const { status, code, message } = await failure("/doctor");
  assert.deepEqual([status, code], [500, "internal"]);
  assert.doesNotMatch(message, /secret/);
  assert.match(server.logged.join("\n"), /a secret detail/);
});

test("ten thousand bad requests leave nothing behind", async () => {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  const bad = [
    "POST /schedule HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n[]",
    "GET /status/17 HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "DELETE /jobs HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "GET /jobs?x=1 HTTP/1.1\r\nHost: evil.example\r\n\r\n",
  ].join("");
  const last =
    "POST /schedule HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 1\r\nConnection: close\r\n\r\n{";
  const batch = async (count: number) => {
    for (let sent = 0; sent < count; sent += 100) {
      const answers = await raw(server.port, bad.repeat(25) + last);
      assert.equal(answers.match(/"error":/g)?.length, 101);
    }
    collect();
    return process.memoryUsage().heapUsed;
  };
  const before_bytes = await batch(2_000);
  const after_bytes = await batch(10_000);
  assert.ok(after_bytes < before_bytes * 1.1, `the heap grew from ${before_bytes} to ${after_bytes} bytes`);
});
