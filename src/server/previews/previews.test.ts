import assert from "node:assert/strict";
import { once } from "node:events";
import { request as openRequest } from "node:http";
import { test } from "node:test";
import { CODE_LIFE_MS, CODES_MAX, OneTimeCodes } from "../one-time-codes.ts";
import { TEST_PREVIEWS } from "../test-server.fake.ts";
import { listenHttp, NAVIGATION, OWN, PreviewWorld, RawServer } from "./preview-fixture.ts";

const PAGE = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 5\r\n\r\nhello";

test("a preview is opened by a code that becomes a cookie, once, at its own name alone, and the address is clean afterwards", async () => {
  await using world = await PreviewWorld.start();
  await using page = await RawServer.listen(PAGE);
  world.ports.set(5173, page.port);
  const url = await world.open("ports/5173", `?path=${encodeURIComponent("/a/b?x=1&y=%20#part")}`);
  assert.match(
    url.href,
    /^http:\/\/p5173-[a-z2-7]{52}\.localhost:\d+\/a\/b\?x=1&y=%20&sealwork-code=[\w-]{43}#part$/,
  );
  const go = () => world.ask({ host: url.host, path: url.pathname + url.search, headers: NAVIGATION });
  // Who only looks what is there, as programs do that show links, does not use it up.
  const looked = { host: url.host, path: url.pathname + url.search, headers: NAVIGATION };
  assert.equal((await world.ask({ ...looked, method: "HEAD" })).status, 401);
  const entered = await go();
  assert.equal(entered.status, 303);
  assert.equal(entered.headers.location, `http://${url.host}/a/b?x=1&y=%20`);
  assert.match(
    entered.headers["set-cookie"]?.[0] ?? "",
    /^__Host-sealwork-preview=\d+\.\.[\w-]{43}; Path=\/; HttpOnly; Secure; SameSite=None; Partitioned; Max-Age=604800$/,
  );
  const again = await go();
  assert.deepEqual([again.status, again.headers["set-cookie"]], [401, undefined]);
  assert.match(again.text, /sealwork open ID 5173/);
  const cookie = entered.headers["set-cookie"]?.[0]?.split(";")[0] ?? "";
  const shown = await world.ask({ host: url.host, headers: { ...NAVIGATION, cookie } });
  assert.deepEqual([shown.status, shown.text], [200, "hello"]);
  // Somebody who has the cookie and uses an old address comes in, and the code never goes on.
  const old = await world.ask({
    host: url.host,
    path: "/?sealwork-code=x",
    headers: { ...NAVIGATION, cookie },
  });
  assert.deepEqual([old.status, old.headers.location], [303, `http://${url.host}/`]);
  const posted = await world.ask({
    host: url.host,
    path: "/?sealwork-code=x&a=1",
    method: "POST",
    headers: { ...OWN, cookie },
  });
  assert.equal(posted.status, 200);
  assert.match(page.heard.at(-1) ?? "", /^POST \/\?a=1 HTTP/);
  assert.doesNotMatch(page.heard.join(), /sealwork-code|__Host/);
});

test("a code or a cookie of one preview is worth nothing at another one, and a code that was tried there is used up", async () => {
  await using world = await PreviewWorld.start();
  await using page = await RawServer.listen(PAGE);
  world.ports.set(1, page.port).set(2, page.port);
  const one = await world.open("ports/1");
  const two = await world.open("ports/2");
  const crossed = await world.ask({ host: two.host, path: one.pathname + one.search, headers: NAVIGATION });
  assert.equal(crossed.status, 401);
  const late = await world.ask({ host: one.host, path: one.pathname + one.search, headers: NAVIGATION });
  assert.equal(late.status, 401);
  const { host, cookie } = await world.enter("ports/1");
  for (const [name, status] of [
    [host, 200],
    [two.host, 401],
  ] as const)
    assert.equal((await world.ask({ host: name, headers: { ...OWN, cookie } })).status, status);
  assert.equal(page.heard.length, 1);
});

test("cookies that a page put beside ours lock nobody out, and forged ones open nothing", async () => {
  await using world = await PreviewWorld.start();
  await using page = await RawServer.listen(PAGE);
  world.ports.set(1, page.port);
  const { host, cookie } = await world.enter("ports/1");
  const [name, value = ""] = cookie.split("=");
  const status = async (header: string) =>
    (await world.ask({ host, headers: { ...OWN, cookie: header } })).status;
  assert.equal(await status(`${name}=x; a=b; ${cookie}; ${name}=`), 200);
  assert.match(page.heard.at(-1) ?? "", /\r\ncookie: a=b\r\n/i);
  const [expires, , proof] = value.split(".");
  for (const forged of [
    `${Number(expires) + 1}..${proof}`,
    `${expires}.a.${proof}`,
    `${expires}..${proof?.slice(0, -1)}`,
    `${expires}`,
    "",
    ".",
  ])
    assert.equal(await status(`${name}=${forged}`), 401, forged);
});

test("names and cookies outlive a restart, another secret or token makes cookies void", async () => {
  await using world = await PreviewWorld.start({ token: "one" });
  const { host, cookie } = await world.enter("ports/1", "one");
  const name = host.split(":")[0];
  for (const [options, status] of [
    [{ token: "one" }, 404],
    [{ token: "two" }, 401],
  ] as const) {
    await using other = await PreviewWorld.start(options);
    const answer = await other.ask({ host: `${name}:${other.server.port}`, headers: { ...OWN, cookie } });
    // The orchestrator of the test does not know the job any more, which is as if it had ended.
    assert.equal(answer.status, status);
  }
  await using strange = await PreviewWorld.start({
    token: "one",
    previews: { ...TEST_PREVIEWS, secret: "new" },
  });
  const answer = await strange.ask({ host: `${name}:1`, headers: { ...OWN, cookie } });
  assert.match(answer.text, /has ended, or never was/);
});

test("only the preview itself asks, and who navigates to it", async () => {
  await using world = await PreviewWorld.start();
  await using page = await RawServer.listen(PAGE);
  world.ports.set(1, page.port);
  const { host, cookie } = await world.enter("ports/1");
  const status = async (headers: Record<string, string>, method = "GET") =>
    (await world.ask({ host, method, headers: { cookie, ...headers } })).status;
  const fetched = (site: string, mode: string, dest: string) => ({
    "sec-fetch-site": site,
    "sec-fetch-mode": mode,
    "sec-fetch-dest": dest,
  });
  for (const [headers, method, wanted] of [
    [fetched("same-origin", "cors", "empty"), "POST", 200],
    [fetched("same-origin", "no-cors", "image"), "GET", 200],
    [fetched("none", "navigate", "document"), "GET", 200],
    [fetched("cross-site", "navigate", "document"), "GET", 200],
    [fetched("cross-site", "navigate", "iframe"), "GET", 200],
    [fetched("same-site", "navigate", "frame"), "HEAD", 200],
    [fetched("cross-site", "navigate", "document"), "POST", 403],
    [fetched("cross-site", "navigate", "object"), "GET", 403],
    [fetched("cross-site", "navigate", "embed"), "GET", 403],
    [fetched("cross-site", "no-cors", "image"), "GET", 403],
    [fetched("cross-site", "cors", "empty"), "GET", 403],
    [fetched("same-site", "no-cors", "script"), "GET", 403],
    [fetched("cross-site", "no-cors", "document"), "GET", 403],
    [fetched("same-origin", "same-origin", "serviceworker"), "GET", 403],
    [{ ...OWN, "service-worker": "script" }, "GET", 403],
    [{ "sec-fetch-mode": "navigate", "sec-fetch-dest": "document" }, "GET", 200],
    [{ "sec-fetch-dest": "empty" }, "GET", 403],
    [{}, "GET", 403],
    [{ origin: `http://${host}` }, "POST", 200],
    [{ origin: `https://${host}` }, "POST", 403],
    [{ origin: "null" }, "POST", 403],
  ] as [Record<string, string>, string, number][])
    assert.equal(await status(headers, method), wanted, JSON.stringify([headers, method]));
});

test("a name that was never made, and one of a job that is over, say so; neither reaches the API", async () => {
  await using world = await PreviewWorld.start();
  const { host, cookie } = await world.enter("ports/1");
  const never = `p1-${"a".repeat(52)}.localhost`;
  for (const path of ["/", "/healthz", "/jobs"]) {
    const answer = await world.ask({ host: never, path, headers: NAVIGATION });
    assert.deepEqual([answer.status, /has ended, or never was/.test(answer.text)], [404, true]);
  }
  // The last character of a label has bits to spare; only one form of it is the name.
  const [name = "", port] = host.split(":");
  const last = name.indexOf(".") - 1;
  const forms = [..."abcdefghijklmnopqrstuvwxyz234567"].map(
    (char) => name.slice(0, last) + char + name.slice(last + 1),
  );
  for (const form of forms.filter((one) => one !== name))
    assert.equal((await world.ask({ host: `${form}:${port}`, headers: NAVIGATION })).status, 404, form);
  const missing = await world.ask({ host, headers: { ...NAVIGATION, cookie } });
  assert.equal(missing.status, 502);
  assert.match(missing.text, /Nothing listens on port 1/);
  assert.equal(missing.headers.refresh, "2");
  world.endJob();
  const over = await world.ask({ host, headers: { ...NAVIGATION, cookie } });
  assert.deepEqual([over.status, /has ended, or never was/.test(over.text)], [404, true]);
  await assert.rejects(world.open("ports/1"), /"conflict"/);
});

test("a name below https is configured with the origins that may frame it", async () => {
  const config = {
    host: "preview.example.org",
    scheme: "https" as const,
    port: null,
    framed_by: ["https://sealwork.example.org"],
  };
  await using world = await PreviewWorld.start({ previews: { secret: "s", config } });
  await using page = await RawServer.listen(PAGE);
  world.ports.set(8080, page.port);
  const url = await world.open("ports/8080");
  assert.match(url.href, /^https:\/\/p8080-[a-z2-7]{52}\.preview\.example\.org\/\?sealwork-code=/);
  const { host, cookie } = await world.enter("ports/8080");
  const shown = await world.ask({ host, headers: { origin: `https://${host}`, cookie } });
  assert.equal(
    shown.headers["content-security-policy"],
    "frame-ancestors 'self' https://sealwork.example.org",
  );
  assert.match(page.heard.at(-1) ?? "", /X-Forwarded-Proto: https\r\n/);
  // Below localhost there are no previews then.
  assert.equal(
    (await world.ask({ host: host.replace(/preview\..*/, "localhost"), headers: OWN })).status,
    403,
  );
});

test("codes end after half a minute, and too many unused ones are refused", async () => {
  let now_ms = 0;
  const codes = new OneTimeCodes<string>(() => now_ms);
  const early = codes.make("a");
  const used = codes.make("b");
  assert.equal(codes.use(used), "b");
  assert.equal(codes.use(used), null);
  now_ms = CODE_LIFE_MS;
  assert.equal(codes.use(early), null);
  for (let index = 0; index < CODES_MAX; index += 1) codes.make("a");
  assert.throws(() => codes.make("a"), { code: "too_many_requests" });
  now_ms += CODE_LIFE_MS;
  codes.make("a");
});

test("events of a server inside come one by one, and a large answer waits for a slow reader", async () => {
  await using world = await PreviewWorld.start();
  const sent = { bytes: 0 };
  await using inside = await listenHttp((request, response) => {
    if (request.url === "/events") {
      response.writeHead(200, { "content-type": "text/event-stream" });
      response.write("data: 1\n\n");
      return;
    }
    const chunk = Buffer.alloc(64 * 1024);
    const more = (): void => {
      while (sent.bytes < 100 * 1024 * 1024) {
        sent.bytes += chunk.length;
        if (!response.write(chunk)) {
          response.once("drain", more);
          return;
        }
      }
      response.end();
    };
    more();
  });
  world.ports.set(1, inside.port);
  const { host, cookie } = await world.enter("ports/1");
  const get = async (path: string) => {
    const request = openRequest({
      port: world.server.port,
      path,
      headers: { host, cookie, ...OWN },
      agent: false,
    }).end();
    const [answer] = await once(request, "response");
    return { request, answer };
  };
  const events = await get("/events");
  const [first] = await once(events.answer, "data");
  assert.equal(String(first), "data: 1\n\n");
  events.request.destroy();
  const large = await get("/large");
  let bytes = 0;
  let ahead = 0;
  for await (const chunk of large.answer) {
    bytes += chunk.length;
    // Slow at first: whoever sends without waiting for the reader is at its end meanwhile.
    for (let turn = 0; turn < 200 && bytes < 4 * 1024 * 1024; turn += 1) await new Promise(setImmediate);
    ahead = Math.max(ahead, sent.bytes - bytes);
  }
  assert.ok(ahead < 30 * 1024 * 1024, `${ahead} bytes were sent ahead`);
  assert.equal(bytes, 100 * 1024 * 1024);
  // A client that went away takes its connection into the sandbox with it.
  while (world.connections > 0) await new Promise((resolve) => setImmediate(resolve));
});

test("a fault of the server is a page that says no more, and a line in the log that does", async () => {
  await using world = await PreviewWorld.start();
  const page = await RawServer.listen(PAGE);
  world.ports.set(1, page.port);
  await page[Symbol.asyncDispose]();
  const { host, cookie } = await world.enter("ports/1");
  const answer = await world.ask({ host, headers: { ...NAVIGATION, cookie } });
  assert.equal(answer.status, 500);
  assert.doesNotMatch(answer.text, /ECONNREFUSED/);
  assert.match(world.server.logged.join(), /A preview failed.*ECONNREFUSED/);
});
