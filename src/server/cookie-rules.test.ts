import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { WebSocket } from "ws";
import { cookieSecret } from "./sign-in.ts";
import { BEARER, Browser, codeOf, refusal, TOKEN } from "./sign-in-fixture.ts";
import { startServer } from "./test-server.fake.ts";

test("a cookie counts at the dashboard's own name alone", async () => {
  await using server = await startServer({ token: TOKEN });
  const browser = new Browser(server);
  await browser.signIn();
  const { cookie } = browser;
  for (const host of ["localhost", "127.0.0.1", "[::1]", "LOCALHOST"]) {
    const answer = await browser.ask({ path: "/jobs", headers: { host: `${host}:${server.port}`, cookie } });
    assert.deepEqual(refusal(answer), [401, "unauthorized"], host);
  }
  for (const host of [`x.sealwork.localhost:${server.port}`, "sealwork.localhost.evil.example"]) {
    const answer = await browser.ask({ path: "/jobs", headers: { host, cookie } });
    assert.deepEqual(refusal(answer), [403, "forbidden_origin"], host);
  }
  // A tunnel may have another port.
  assert.equal(
    (await browser.ask({ path: "/jobs", headers: { host: "sealwork.localhost:9999" } })).status,
    200,
  );
});

test("with a cookie everything but reading needs the page's own origin; reading is refused to other sites", async () => {
  await using server = await startServer({ token: TOKEN });
  const browser = new Browser(server);
  await browser.signIn();
  const id = server.orchestrator.add("running").job_id;
  const cancel = { path: `/cancel/${id}`, method: "POST" };
  const foreign = [
    "",
    "null",
    "http://evil.example",
    `https://sealwork.localhost:${server.port}`,
    `http://localhost:${server.port}`,
    `http://sealwork.localhost:${server.port + 1}`,
  ];
  for (const origin of foreign)
    assert.deepEqual(
      refusal(await browser.ask({ ...cancel, headers: { origin } })),
      [403, "forbidden_origin"],
      origin,
    );
  for (const site of ["cross-site", "same-site"])
    for (const asked of [cancel, { path: "/jobs" }]) {
      const answer = await browser.ask({ ...asked, headers: { "sec-fetch-site": site } });
      assert.deepEqual(refusal(answer), [403, "forbidden_origin"], site);
    }
  assert.equal((await browser.ask(cancel)).status, 200);
  for (const site of ["none", ""])
    assert.equal((await browser.ask({ path: "/jobs", headers: { "sec-fetch-site": site } })).status, 200);
});

test("a token that is borne goes before the cookie, right or wrong, and needs no origin", async () => {
  await using server = await startServer({ token: TOKEN });
  const browser = new Browser(server);
  await browser.signIn();
  const wrong = await browser.ask({ path: "/jobs", headers: { authorization: "Bearer swt_wrong" } });
  assert.deepEqual(refusal(wrong), [401, "unauthorized"]);
  const id = server.orchestrator.add("running").job_id;
  const right = { path: `/cancel/${id}`, method: "POST", headers: { ...BEARER, origin: "" } };
  assert.equal((await browser.ask(right)).status, 200);
});

test("of two cookies none counts; others beside it do not matter", async () => {
  await using server = await startServer({ token: TOKEN });
  const browser = new Browser(server);
  await browser.signIn();
  const { cookie } = browser;
  const twice = await browser.ask({ path: "/jobs", headers: { cookie: `${cookie}; __Host-sealwork=x` } });
  assert.deepEqual(refusal(twice), [401, "unauthorized"]);
  const beside = `a=b; __host-sealwork=x; __Host-sealwork-preview=y; ${cookie};z`;
  assert.equal((await browser.ask({ path: "/jobs", headers: { cookie: beside } })).status, 200);
  assert.equal(cookieSecret(undefined), null);
  assert.equal(cookieSecret("sealwork=x; X__Host-sealwork=y"), null);
});

test("a WebSocket by cookie needs the page's own origin; a stream ends with the sign-in that it came in by, and no other", async () => {
  await using server = await startServer({ token: TOKEN });
  const browser = new Browser(server);
  await browser.signIn();
  const id = server.orchestrator.add("running").job_id;
  // The fake job has no sandbox, which is told only to who may come in.
  const status = async (headers: Record<string, string>) => {
    const socket = new WebSocket(`ws://127.0.0.1:${server.port}/jobs/${id}/terminal`, { headers });
    const [, answer] = await once(socket, "unexpected-response");
    answer.destroy();
    return answer.statusCode;
  };
  const head = { host: browser.host, cookie: browser.cookie };
  for (const headers of [head, { ...head, origin: "null" }, { ...head, origin: "http://evil.example" }])
    assert.equal(await status(headers), 403, headers.cookie);
  assert.equal(await status({ host: browser.host, origin: browser.origin }), 401);
  assert.equal(await status({ ...head, origin: browser.origin }), 409);

  const events = await fetch(`${server.url}/events`, { headers: BEARER });
  const token = await server.sign_ins.makeToken(
    { by: "installation" },
    { name: "reader", expires_in_s: null },
  );
  const mine = await fetch(`${server.url}/events`, { headers: { authorization: `Bearer ${token.secret}` } });
  const broken = assert.rejects(mine.text());
  await server.sign_ins.revoke(token.record.token_id);
  await broken;
  const reader = events.body?.getReader();
  const job_id = server.orchestrator.add("running").job_id;
  server.orchestrator.emit(job_id, { type: "message.said", data: { from: "agent", text: "still here" } });
  let heard = "";
  while (!heard.includes("still here")) {
    const chunk = await reader?.read();
    assert(chunk !== undefined && !chunk.done);
    heard += Buffer.from(chunk.value).toString();
  }
  await reader?.cancel();
});

test("without sign-in the rules about origins hold all the same", async () => {
  await using server = await startServer();
  const browser = new Browser(server);
  const id = server.orchestrator.add("running").job_id;
  const cancel = { path: `/cancel/${id}`, method: "POST" };
  for (const origin of ["", "null", "http://evil.example", `http://localhost:${server.port}`])
    assert.deepEqual(
      refusal(await browser.ask({ ...cancel, headers: { origin } })),
      [403, "forbidden_origin"],
      origin,
    );
  assert.equal((await browser.ask(cancel)).status, 200);
  const elsewhere = new Browser(server, `localhost:${server.port}`);
  for (const origin of ["", "null", "http://localhost:1", browser.origin])
    assert.deepEqual(
      refusal(await elsewhere.ask({ ...cancel, headers: { origin } })),
      [403, "forbidden_origin"],
      `${origin} at localhost`,
    );
  assert.equal((await elsewhere.ask(cancel)).status, 200);
  // A program says nothing of all that.
  assert.equal((await fetch(`${server.url}/cancel/${id}`, { method: "POST" })).status, 200);
  const made = await browser.ask({ path: "/tokens", method: "POST", json: { name: "x" } });
  assert.deepEqual(refusal(made), [409, "conflict"]);
  const opened = await browser.ask({ path: "/sign-in/links", method: "POST", json: { path: "/new" } });
  const led = await browser.ask({ path: codeOf(new URL(JSON.parse(opened.text).url)) });
  assert.deepEqual([led.status, led.headers.location, led.headers["set-cookie"]], [303, "/new", undefined]);
  const typed = await browser.ask({ path: "/sign-in", method: "POST", json: { token: "any" } });
  assert.deepEqual([typed.status, typed.headers["set-cookie"]], [204, undefined]);
});
