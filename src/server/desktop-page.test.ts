import assert from "node:assert/strict";
import { once } from "node:events";
import { request as openRequest } from "node:http";
import { test } from "node:test";
import WebSocket from "ws";
import { DesktopView } from "../contract/desktop-api.ts";
import { CLOSED } from "../contract/live-closing.ts";
import { NAVIGATION, OWN, PreviewWorld } from "./previews/preview-fixture.ts";
import { DesktopWorld } from "./surfaces/desktop/desktop-fixture.ts";
import { HANDSHAKE, key, SHARED_HANDSHAKE } from "./surfaces/desktop/rfb-client-messages.fake.ts";

test("the page comes from an origin of its own, loads only what lies beside it, and has no script in it", async () => {
  await using page = await openPage();
  const shown = await page.ask("/", NAVIGATION);
  assert.equal(shown.status, 200);
  assert.match(shown.headers["content-type"] ?? "", /^text\/html/);
  const policy = shown.headers["content-security-policy"] ?? "";
  assert.match(policy, /frame-ancestors 'self'/);
  assert.match(policy, /default-src 'none'; script-src 'self'; style-src 'self'/);
  assert.doesNotMatch(policy, /unsafe/);
  assert.doesNotMatch(shown.text, /<script(?![^>]*\bsrc=)|\son\w+=|\sstyle=/);
  const named = Array.from(shown.text.matchAll(/(?:src|href)="(\/[^"]+)"/g), ([, path = ""]) => path);
  assert.ok(named.length >= 4);
  // What the page names is there, and so is everything that its modules load in turn.
  const seen = new Set<string>();
  for (const queue = [...named]; queue.length > 0; ) {
    const path = queue.shift() ?? "";
    if (seen.has(path)) continue;
    seen.add(path);
    const file = await page.ask(path);
    assert.equal(file.status, 200, path);
    if (!path.endsWith(".js")) continue;
    assert.match(file.headers["content-type"] ?? "", /^text\/javascript/);
    for (const [, module = ""] of file.text.matchAll(
      /^(?:import|export)\s[^;"']*?["'](\.{0,2}\/[^"']+)["']/gm,
    ))
      queue.push(new URL(module, `http://page${path}`).pathname);
  }
  assert.ok(seen.has("/novnc/core/rfb.js") && seen.size > 30, `${seen.size} files`);
  // It is no part of a build, so it says again how sockets are closed.
  const connection = (await page.ask("/connection.js")).text;
  assert.match(connection, new RegExp(`^const ENDED = ${CLOSED.ended};$`, "m"));
  assert.match(connection, new RegExp(`^const REFUSED = ${CLOSED.refused};$`, "m"));
});

test("nothing else can be asked for there", async () => {
  await using page = await openPage();
  for (const path of [
    "/novnc/package.json",
    "/novnc/core/",
    "/page-files.ts",
    "/../page-files.ts",
    "/novnc/%2e%2e/x.js",
    "//",
  ])
    assert.equal((await page.ask(path)).status, 404, path);
  assert.equal((await page.ask("/", OWN, { method: "PUT" })).status, 404);
  assert.equal((await page.ask("/orders", OWN, { method: "POST", body: "{}" })).status, 404);
  assert.equal((await page.ask("/control", OWN, { method: "POST", body: "{" })).status, 400);
  assert.equal((await page.ask("/control", OWN, { method: "POST", body: `{"viewer":"x"}` })).status, 422);
  assert.equal((await page.ask("/control", OWN, { method: "POST", body: "x".repeat(5000) })).status, 413);
  assert.equal((await page.ask("/control", { ...NAVIGATION }, { method: "POST", body: "{}" })).status, 403);
});

test("the page looks, takes the desktop and gives it back, and hears of every change", async () => {
  await using page = await openPage();
  const told = await page.follow();
  assert.equal((await told()).held_by, null);
  const socket = await page.dial("/rfb?viewer=anna-0001&name=Anna");
  await once(socket, "open");
  assert.deepEqual(
    (await told()).viewers.map(({ name }) => name),
    ["Anna"],
  );
  socket.send(Buffer.concat([HANDSHAKE, key(1, true)]));
  const order = (path: string, body: object) =>
    page.ask(path, OWN, { method: "POST", body: JSON.stringify(body) });
  const taken = await order("/control", { viewer: "anna-0001", take: true });
  assert.equal(DesktopView.parse(JSON.parse(taken.text)).held_by, "Anna");
  assert.equal((await told()).held_by, "Anna");
  socket.send(key(2, true));
  const heard = Buffer.concat([SHARED_HANDSHAKE, key(2, true)]);
  assert.deepEqual(await page.world.heard(0, heard.length), heard);
  const refused = await order("/control", { viewer: "ben-00001", take: true });
  assert.deepEqual([refused.status, JSON.parse(refused.text).error.code], [409, "conflict"]);
  await order("/clipboard", { enabled: false });
  assert.equal((await told()).clipboard, false);
  await order("/control", { viewer: "anna-0001", take: false });
  assert.equal((await told()).held_by, null);
  assert.ok(page.world.touches >= 3);
  page.world.endJob();
  assert.equal((await once(socket, "close"))[0], 4001);
  assert.equal((await page.ask("/", NAVIGATION)).status, 404);
});

test("a foreign page gets no connection to the desktop, and neither does one without the cookie", async () => {
  await using page = await openPage();
  const refused = async (path: string, headers: Record<string, string>) => {
    const socket = await page.dial(path, headers);
    const [, answer] = await once(socket, "unexpected-response");
    socket.terminate();
    return answer.statusCode;
  };
  assert.equal(await refused("/rfb?viewer=anna-0001", { origin: "http://evil.example" }), 403);
  assert.equal(await refused("/rfb?viewer=anna-0001", { cookie: "" }), 401);
  assert.equal(await refused("/other", {}), 404);
  assert.equal(await refused("/rfb?viewer=short", {}), 422);
  assert.deepEqual(page.world.opened, []);
});

/** The page of a desktop, opened as a browser does. */
async function openPage() {
  const previews = await PreviewWorld.start();
  const world = new DesktopWorld();
  previews.server.orchestrator.live = world.surfaces;
  const { host, cookie } = await previews.enter("desktop");
  const sockets: WebSocket[] = [];
  const requests: AbortController[] = [];
  return {
    world,
    ask: (
      path: string,
      headers: Record<string, string> = OWN,
      more: { method?: string; body?: string } = {},
    ) => previews.ask({ host, path, headers: { ...headers, cookie }, ...more }),
    dial: async (path: string, headers: Record<string, string> = {}) => {
      const socket = new WebSocket(`ws://127.0.0.1:${previews.server.port}${path}`, {
        headers: { host, origin: `http://${host}`, cookie, ...headers },
      });
      sockets.push(socket);
      socket.on("error", () => undefined);
      return socket;
    },
    /** Follows the page's events; each call gives the newest state, once it differs from the one before. */
    follow: async () => {
      const request = openRequest({
        port: previews.server.port,
        path: "/state",
        headers: { host, cookie, ...OWN },
        agent: false,
      });
      const stop = new AbortController();
      requests.push(stop);
      stop.signal.addEventListener("abort", () => request.destroy());
      request.on("error", () => undefined);
      request.end();
      const [answer] = await once(request, "response");
      assert.equal(answer.headers["content-type"], "text/event-stream");
      const chunks = answer[Symbol.asyncIterator]();
      let text = "";
      let last = "";
      return async () => {
        for (;;) {
          const said = Array.from(text.matchAll(/^data: (.*)$/gm), ([, data = ""]) => data).at(-1) ?? "";
          if (said !== last) {
            last = said;
            return DesktopView.parse(JSON.parse(said));
          }
          text += String((await chunks.next()).value);
        }
      };
    },
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.terminate();
      for (const stop of requests) stop.abort();
      await previews[Symbol.asyncDispose]();
    },
  };
}
