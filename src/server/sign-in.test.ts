import assert from "node:assert/strict";
import { test } from "node:test";
import { CODE_LIFE_MS } from "./one-time-codes.ts";
import { BEARER, Browser, codeOf, link, refusal, TOKEN } from "./sign-in-fixture.ts";
import { startServer } from "./test-server.fake.ts";

test("a link signs a browser in once, leads on without its code, and its cookie is of the strictest kind", async () => {
  await using server = await startServer({ token: TOKEN });
  const url = await link(server, "/settings/tokens?x=1");
  assert.match(
    url.href,
    new RegExp(`^http://sealwork\\.localhost:${server.port}/sign-in\\?code=[\\w-]{43}$`),
  );
  const browser = new Browser(server);
  const first = await browser.ask({ path: codeOf(url), headers: { "sec-fetch-site": "none" } });
  assert.deepEqual([first.status, first.headers.location], [303, "/settings/tokens?x=1"]);
  assert.equal(first.headers["cache-control"], "no-store");
  assert.equal(first.headers["referrer-policy"], "no-referrer");
  assert.match(
    browser.keep(first),
    /^__Host-sealwork=swb_[\w-]{43}; Path=\/; HttpOnly; Secure; SameSite=Strict; Max-Age=2592000$/,
  );
  assert.equal((await browser.ask({ path: "/jobs" })).status, 200);
  const second = await new Browser(server).ask({ path: codeOf(url), headers: { "sec-fetch-site": "none" } });
  assert.deepEqual([second.status, second.headers.location], [303, "/sign-in?failed=link"]);
  assert.equal(second.headers["set-cookie"], undefined);
  assert.doesNotMatch(server.logged.join(), /swb_|code/);
});

test("a link is void after half a minute, and one whose maker was revoked meanwhile at once", async () => {
  let now_ms = 0;
  await using server = await startServer({ token: TOKEN, elapsed_ms: () => now_ms });
  const late = await link(server);
  now_ms = CODE_LIFE_MS;
  const browser = new Browser(server);
  const failed = await browser.ask({ path: codeOf(late) });
  assert.equal(failed.headers.location, "/sign-in?failed=link");
  const { record, secret } = await server.sign_ins.makeToken(
    { by: "installation" },
    { name: "lent", expires_in_s: null },
  );
  const made = await browser.ask({
    path: "/sign-in/links",
    method: "POST",
    headers: { authorization: `Bearer ${secret}` },
    json: {},
  });
  await server.sign_ins.revoke(record.token_id);
  const orphan = await browser.ask({ path: codeOf(new URL(JSON.parse(made.text).url)) });
  assert.deepEqual(
    [orphan.headers.location, orphan.headers["set-cookie"]],
    ["/sign-in?failed=link", undefined],
  );
});

test("a browser that is signed in keeps its sign-in when it goes by another link, used up or not", async () => {
  await using server = await startServer({ token: TOKEN });
  const browser = new Browser(server);
  await browser.signIn();
  const url = await link(server, "/new");
  for (const location of ["/new", "/"]) {
    const answer = await browser.ask({ path: codeOf(url) });
    assert.deepEqual([answer.headers.location, answer.headers["set-cookie"]], [location, undefined]);
  }
  assert.equal(server.sign_ins.list().length, 1);
});

test("a link leads to a path of ours alone", async () => {
  await using server = await startServer({ token: TOKEN });
  const browser = new Browser(server);
  for (const path of [
    "//evil.example",
    "https://evil.example",
    "/\\evil.example",
    "",
    "new",
    "/a b",
    "/a\r\nx: y",
  ]) {
    const asked = { path: "/sign-in/links", method: "POST", headers: BEARER, json: { path } };
    assert.deepEqual(refusal(await browser.ask(asked)), [422, "invalid_request"], path);
  }
});

test("looking at a link without going there uses nothing up", async () => {
  await using server = await startServer({ token: TOKEN });
  const url = await link(server);
  const browser = new Browser(server);
  assert.equal((await browser.ask({ path: codeOf(url), method: "HEAD" })).status, 401);
  const crossing = {
    path: codeOf(url),
    headers: { "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate" },
  };
  assert.deepEqual(refusal(await browser.ask(crossing)), [403, "forbidden_origin"]);
  const elsewhere = new Browser(server, `127.0.0.1:${server.port}`);
  const led = await elsewhere.ask({ path: codeOf(url), headers: { "sec-fetch-site": "none" } });
  assert.deepEqual([led.status, led.headers.location], [302, url.href]);
  assert.equal((await browser.ask({ path: codeOf(url) })).headers.location, "/");
});

test("a token signs a browser in on the dashboard's own page, and a wrong one is refused", async () => {
  await using server = await startServer({ token: TOKEN });
  const browser = new Browser(server);
  const wrong = await browser.ask({ path: "/sign-in", method: "POST", json: { token: "swt_wrong" } });
  assert.deepEqual(refusal(wrong), [401, "unauthorized"]);
  assert.equal(wrong.headers["set-cookie"], undefined);
  await browser.signIn();
  assert.equal((await browser.ask({ path: "/jobs" })).status, 200);
  const [row] = server.sign_ins.list();
  assert.equal(row?.kind, "browser");
  // The cookie's own secret is no token, neither typed nor borne.
  const secret = browser.cookie.split("=")[1] ?? "";
  const typed = await new Browser(server).ask({ path: "/sign-in", method: "POST", json: { token: secret } });
  assert.deepEqual(refusal(typed), [401, "unauthorized"]);
  const borne = await new Browser(server).ask({
    path: "/jobs",
    headers: { authorization: `Bearer ${secret}` },
  });
  assert.deepEqual(refusal(borne), [401, "unauthorized"]);
  assert.doesNotMatch(server.logged.join(), /sw[tb]_/);
});

test("who tries many tokens has to wait", async () => {
  await using server = await startServer({ token: TOKEN });
  const browser = new Browser(server);
  const wrong = { path: "/sign-in", method: "POST", json: { token: "swt_guess" } };
  for (let tries = 0; tries < 20; tries += 1) assert.equal((await browser.ask(wrong)).status, 401);
  const refused = await browser.ask({ ...wrong, json: { token: TOKEN } });
  assert.deepEqual(refusal(refused), [429, "too_many_requests"]);
  assert.match(refused.headers["retry-after"] ?? "", /^\d+$/);
});

test("another page signs nobody in or out", async () => {
  await using server = await startServer({ token: TOKEN });
  const browser = new Browser(server);
  for (const origin of ["http://evil.example", "null", "", `http://sealwork.localhost:${server.port + 1}`]) {
    const asked = { path: "/sign-in", method: "POST", headers: { origin }, json: { token: TOKEN } };
    assert.deepEqual(refusal(await browser.ask(asked)), [403, "forbidden_origin"], origin);
  }
  const elsewhere = new Browser(server, `localhost:${server.port}`);
  const asked = { path: "/sign-in", method: "POST", json: { token: TOKEN } };
  assert.deepEqual(refusal(await elsewhere.ask(asked)), [403, "forbidden_origin"]);
  await browser.signIn();
  const out = { path: "/sign-out", method: "POST", headers: { origin: "" } };
  assert.deepEqual(refusal(await browser.ask(out)), [403, "forbidden_origin"]);
});

test("signing out ends this browser alone and takes its cookie; the answer still arrives", async () => {
  await using server = await startServer({ token: TOKEN });
  const [one, other] = [new Browser(server), new Browser(server)];
  await one.signIn();
  await other.signIn();
  const out = await one.ask({ path: "/sign-out", method: "POST" });
  assert.equal(out.status, 204);
  assert.match(out.headers["set-cookie"]?.[0] ?? "", /^__Host-sealwork=; .*Max-Age=0$/);
  assert.deepEqual(refusal(await one.ask({ path: "/jobs" })), [401, "unauthorized"]);
  assert.equal((await other.ask({ path: "/jobs" })).status, 200);
});

test("signing in again in the same browser leaves one sign-in", async () => {
  await using server = await startServer({ token: TOKEN });
  const browser = new Browser(server);
  await browser.signIn();
  const before = browser.cookie;
  await browser.signIn();
  assert.equal(server.sign_ins.list().length, 1);
  const old = await browser.ask({ path: "/jobs", headers: { cookie: before } });
  assert.deepEqual(refusal(old), [401, "unauthorized"]);
});

test("a browser is named by what it is", async () => {
  await using server = await startServer({ token: TOKEN });
  const browser = new Browser(server);
  const answer = await browser.ask({
    path: "/sign-in",
    method: "POST",
    json: { token: TOKEN },
    headers: { "user-agent": "Mozilla/5.0 (X11; Linux x86_64; rv:150.0) Gecko/20100101 Firefox/150.0 <b>" },
  });
  assert.equal(answer.status, 204);
  assert.equal(server.sign_ins.list()[0]?.name, "Firefox on Linux");
});

test("behind a proxy of https the configured origin is the dashboard's, for links, cookies and pages alike", async () => {
  const dashboard_origins = ["https://sealwork.example.org", "https://other.example.org:8443"];
  await using server = await startServer({ token: TOKEN, dashboard_origins });
  for (const host of ["sealwork.example.org", "other.example.org:8443"]) {
    const browser = new Browser(server, host, "https");
    const made = await browser.ask({ path: "/sign-in/links", method: "POST", headers: BEARER, json: {} });
    const url = new URL(JSON.parse(made.text).url);
    assert.equal(url.origin, browser.origin);
    browser.keep(await browser.ask({ path: codeOf(url), headers: { "sec-fetch-site": "none" } }));
    assert.equal((await browser.ask({ path: "/jobs" })).status, 200);
    const out = await browser.ask({
      path: "/sign-out",
      method: "POST",
      headers: { origin: `http://${host}` },
    });
    assert.deepEqual(refusal(out), [403, "forbidden_origin"]);
    assert.equal((await browser.ask({ path: "/sign-out", method: "POST" })).status, 204);
  }
  const wrong = new Browser(server, "other.example.org", "https");
  const asked = { path: "/sign-in", method: "POST", json: { token: TOKEN } };
  assert.deepEqual(refusal(await wrong.ask(asked)), [403, "forbidden_origin"], "it is another port");
});
