import assert from "node:assert/strict";
import { once } from "node:events";
import { type IncomingHttpHeaders, request as openRequest } from "node:http";
import { test } from "node:test";
import { WebSocket } from "ws";
import type { TokenMade, TokensAnswer } from "../contract/sign-in-api.ts";
import { CODE_LIFE_MS } from "./one-time-codes.ts";
import { cookieSecret } from "./sign-in.ts";
import { startServer, type TestServer } from "./test-server.fake.ts";

const TOKEN = "swt_the-token-of-the-installation";
const BEARER = { authorization: `Bearer ${TOKEN}` };

type Asked = { path: string; method?: string; headers?: Record<string, string>; json?: unknown };
type Answer = { status: number; headers: IncomingHttpHeaders; text: string };

/** One request to the dashboard's own name, as a browser that went there sends it. */
class Browser {
  readonly host: string;
  readonly origin: string;
  readonly #port: number;
  cookie = "";

  constructor({ port }: TestServer, host = `sealwork.localhost:${port}`, scheme = "http") {
    this.host = host;
    this.origin = `${scheme}://${host}`;
    this.#port = port;
  }

  /** `headers` go before what a page of this origin sends; one that is empty is left out. */
  async ask({ path, method = "GET", headers = {}, json }: Asked): Promise<Answer> {
    const own = method === "GET" || method === "HEAD" ? {} : { origin: this.origin };
    const all: Record<string, string> = {
      host: this.host,
      "sec-fetch-site": "same-origin",
      ...(json === undefined ? {} : { "content-type": "application/json" }),
      ...(this.cookie === "" ? {} : { cookie: this.cookie }),
      ...own,
      ...headers,
    };
    const sent = Object.fromEntries(Object.entries(all).filter(([, value]) => value !== ""));
    const request = openRequest({ port: this.#port, path, method, headers: sent, agent: false });
    request.end(json === undefined ? undefined : JSON.stringify(json));
    const [answer] = await once(request, "response");
    const text = Buffer.concat(await answer.toArray()).toString();
    return { status: answer.statusCode, headers: answer.headers, text };
  }

  /** Keeps the cookie that an answer sets. */
  keep({ headers }: Answer): string {
    const line = headers["set-cookie"]?.[0] ?? "";
    this.cookie = line.split(";")[0] ?? "";
    return line;
  }

  async signIn(): Promise<Answer> {
    const answer = await this.ask({ path: "/sign-in", method: "POST", json: { token: TOKEN } });
    assert.equal(answer.status, 204, answer.text);
    this.keep(answer);
    return answer;
  }
}

async function link(server: TestServer, path = "/"): Promise<URL> {
  const answer = await fetch(`${server.url}/sign-in/links`, {
    method: "POST",
    headers: { ...BEARER, "content-type": "application/json" },
    body: JSON.stringify({ path }),
  });
  const { url } = (await answer.json()) as { url: string };
  return new URL(url);
}

const codeOf = ({ pathname, search }: URL) => `${pathname}${search}`;
const refusal = ({ status, text }: Answer) => [status, JSON.parse(text).error.code];

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

test("tokens are made, shown once, used, listed and revoked", async () => {
  await using server = await startServer({ token: TOKEN });
  const browser = new Browser(server);
  await browser.signIn();
  const answer = await browser.ask({
    path: "/tokens",
    method: "POST",
    json: { name: " ci ", expires_in_s: 3600 },
  });
  const made: TokenMade = JSON.parse(answer.text);
  assert.deepEqual([answer.status, made.kind, made.name, made.current], [200, "token", "ci", false]);
  const bearer = { authorization: `Bearer ${made.token}`, cookie: "" };
  assert.equal((await browser.ask({ path: "/jobs", headers: bearer })).status, 200);
  const list = await browser.ask({ path: "/tokens" });
  const { tokens }: TokensAnswer = JSON.parse(list.text);
  assert.deepEqual(
    tokens.map(({ kind, current }) => [kind, current]),
    [
      ["token", false],
      ["browser", true],
    ],
  );
  assert.match(tokens[0]?.last_used_at ?? "", /:00\.000Z$/);
  assert(!list.text.includes(made.token) && !list.text.includes("sha256"));
  const path = `/tokens/${made.token_id}`;
  assert.equal((await browser.ask({ path, method: "DELETE" })).status, 204);
  assert.deepEqual(refusal(await browser.ask({ path: "/jobs", headers: bearer })), [401, "unauthorized"]);
  assert.deepEqual(refusal(await browser.ask({ path, method: "DELETE" })), [404, "not_found"]);
  assert.deepEqual(refusal(await browser.ask({ path: "/tokens/x", method: "DELETE" })), [400, "invalid_id"]);
  const self = `/tokens/${tokens[1]?.token_id}`;
  assert.equal((await browser.ask({ path: self, method: "DELETE" })).status, 204, "who ends itself is told");
  assert.deepEqual(refusal(await browser.ask({ path: "/jobs" })), [401, "unauthorized"]);
});

test("the name of a token is one line of plain text", async () => {
  await using server = await startServer({ token: TOKEN });
  const browser = new Browser(server);
  for (const name of ["", " ", "a\nb", "\u202eevil", "x".repeat(101)]) {
    const asked = { path: "/tokens", method: "POST", headers: BEARER, json: { name } };
    assert.deepEqual(refusal(await browser.ask(asked)), [422, "invalid_request"], name);
  }
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
