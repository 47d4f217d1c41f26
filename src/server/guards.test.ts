import assert from "node:assert/strict";
import { test } from "node:test";
import { AppError } from "../contract/errors.ts";
import { VERSION } from "../contract/version.ts";
import { createServer } from "./app.ts";
import { listen } from "./listen.ts";
import { FakeOrchestrator } from "./orchestrator.fake.ts";
import { checkOrigin } from "./request-origin.ts";
import { openTestSignIns, raw, startServer, TEST_PREVIEWS } from "./test-server.fake.ts";

test("every route but / and /healthz wants the token", async () => {
  await using server = await startServer({ token: "swt_right" });
  const status = async (path: string, authorization?: string) => {
    const headers: Record<string, string> = authorization === undefined ? {} : { authorization };
    const answer = await fetch(`${server.url}${path}`, { headers });
    await answer.body?.cancel();
    return answer.status;
  };
  for (const path of ["/", "/healthz"]) assert.equal(await status(path), 200, path);
  for (const path of ["/jobs", "/docs", "/openapi.json", "/templates", "/nothing", "/docs/static/index.css"])
    assert.equal(await status(path), 401, path);
  for (const wrong of ["Bearer swt_wrong", "Bearer", "Basic swt_right", "swt_right", "Bearer swt_right x"])
    assert.equal(await status("/jobs", wrong), 401, wrong);
  assert.equal(await status("/jobs", "Bearer swt_right"), 200);
  assert.doesNotMatch(server.logged.join(), /swt_/);
});

test("foreign Host and Origin headers are refused, also without sign-in", async () => {
  await using server = await startServer();
  const status = async (headers: string) => {
    const text = await raw(server.port, `GET /jobs HTTP/1.1\r\n${headers}Connection: close\r\n\r\n`);
    return Number(text.slice(9, 12));
  };
  for (const host of ["localhost", `127.0.0.1:${server.port}`, "[::1]:8000", "LOCALHOST:1"])
    assert.equal(await status(`Host: ${host}\r\n`), 200, host);
  for (const host of [
    "evil.example",
    "127.0.0.1.evil.example",
    "x.localhost",
    "10.0.0.1",
    "localhost@evil.example",
    "",
  ])
    assert.equal(await status(`Host: ${host}\r\n`), 403, host);
  const own = `localhost:${server.port}`;
  assert.equal(await status(`Host: ${own}\r\nOrigin: http://${own}\r\n`), 200);
  for (const origin of [
    "http://evil.example",
    "null",
    "http://localhost:1",
    `http://x.${own}`,
    `ftp://${own}`,
  ])
    assert.equal(await status(`Host: ${own}\r\nOrigin: ${origin}\r\n`), 403, origin);
});

test("what another site makes a browser send is refused, links and pictures too", async () => {
  await using server = await startServer();
  const status = async (site: string) => {
    const answer = await fetch(`${server.url}/jobs`, { headers: { "sec-fetch-site": site } });
    await answer.body?.cancel();
    return answer.status;
  };
  for (const site of ["same-origin", "none"]) assert.equal(await status(site), 200, site);
  for (const site of ["cross-site", "same-site", "new"]) assert.equal(await status(site), 403, site);
});

test("beyond loopback the address that was called and configured names are its own", () => {
  const allowed = { local_address: "192.0.2.7", hosts: ["box.example"] };
  checkOrigin({ host: "192.0.2.7:8000" }, allowed);
  checkOrigin({ host: "BOX.example:8000" }, allowed);
  assert.throws(() => checkOrigin({ host: "192.0.2.8:8000" }, allowed), { code: "forbidden_origin" });
  assert.throws(() => checkOrigin({}, allowed), { code: "forbidden_origin" });
});

test("listening beyond loopback without a token is refused", async () => {
  const app = await createServer({
    orchestrator: new FakeOrchestrator(),
    sign_ins: await openTestSignIns(null),
    token: null,
    log: () => {},
    fingerprint_secret: "a secret of this test",
    previews: TEST_PREVIEWS,
    requests_per_second: 200,
  });
  for (const host of ["0.0.0.0", "::", "192.0.2.1", "example.org"])
    await assert.rejects(listen(app, { host, port: 0, token: null }), { code: "usage" });
  await app.close();
});

test("a port that is taken is said with its number", async () => {
  await using server = await startServer();
  const app = await createServer({
    orchestrator: new FakeOrchestrator(),
    sign_ins: await openTestSignIns(null),
    token: null,
    log: () => {},
    fingerprint_secret: "a secret of this test",
    previews: TEST_PREVIEWS,
    requests_per_second: 200,
  });
  await assert.rejects(listen(app, { host: "127.0.0.1", port: server.port, token: null }), (error) => {
    assert.ok(error instanceof AppError);
    assert.match(error.message, new RegExp(`:${server.port} \\(EADDRINUSE\\)`));
    return true;
  });
  await app.close();
});

test("every answer says the version, and a client too far away learns which side to upgrade", async () => {
  await using server = await startServer();
  const ask = (version: string) =>
    fetch(`${server.url}/healthz`, { headers: { "x-sealwork-version": version } });
  const same = await ask(VERSION);
  assert.deepEqual([same.status, same.headers.get("x-sealwork-version")], [200, VERSION]);
  await same.body?.cancel();
  const far = await ask("7.0.0");
  assert.equal(far.status, 426);
  assert.match(await far.text(), /"version_mismatch".*upgrade the server/);
});

test("too many requests are 429 with Retry-After, 200 a second always pass", async () => {
  await using server = await startServer({ requests_per_second: 200 });
  const get = "GET /jobs HTTP/1.1\r\nHost: localhost\r\n\r\n";
  const end = "GET /jobs HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
  const allowed = await raw(server.port, get.repeat(1999) + end);
  assert.equal(allowed.match(/HTTP\/1.1 200/g)?.length, 2000);
  const refused = await raw(server.port, end);
  assert.match(refused, /^HTTP\/1.1 429 [\s\S]*retry-after: \d+[\s\S]*"too_many_requests"/i);
});

test("answers carry headers that keep browsers from guessing, framing and storing", async () => {
  await using server = await startServer();
  for (const path of ["/", "/jobs", "/nothing"]) {
    const { headers, body } = await fetch(`${server.url}${path}`);
    await body?.cancel();
    assert.equal(headers.get("x-content-type-options"), "nosniff");
    assert.equal(headers.get("cache-control"), "no-store");
    assert.match(headers.get("content-security-policy") ?? "", /frame-ancestors 'none'/);
  }
});

test("/ is JSON for all but browsers", async () => {
  await using server = await startServer();
  const json = await fetch(server.url);
  assert.deepEqual(Object.keys((await json.json()) as object), ["message", "version", "docs"]);
  assert.equal(json.headers.get("vary"), "accept");
});
