import assert from "node:assert/strict";
import { once } from "node:events";
import { request as openRequest } from "node:http";
import type { Readable } from "node:stream";
import { test } from "node:test";
import { WebSocket } from "ws";
import { listenHttp, NAVIGATION, OWN, PreviewWorld, RawServer } from "./preview-fixture.ts";

const TOKEN = "swt_the-token-of-the-installation";

/** However it was closed. */
function closed(stream: Readable): Promise<void> {
  stream.on("error", () => undefined);
  return new Promise((resolve) => stream.once("close", resolve));
}

test("with the sign-in that opened a preview end its pages, streams and WebSockets, and the codes for it", async () => {
  await using world = await PreviewWorld.start({ token: TOKEN });
  const { sign_ins, port } = world.server;
  const key = "dGhlIHNhbXBsZSBub25jZQ==";
  await using inside = await RawServer.listen((socket, heard) => {
    // The key and its answer are the example of RFC 6455, 1.3.
    const upgraded = `101 x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=`;
    const streamed = "200 OK\r\nContent-Type: text/event-stream\r\nConnection: close";
    socket.write(`HTTP/1.1 ${heard.includes(key) ? upgraded : streamed}\r\n\r\ndata: 1\n\n`);
  });
  world.ports.set(1, inside.port);
  const lent = await sign_ins.makeToken({ by: "installation" }, { name: "lent", expires_in_s: null });
  const kept = await sign_ins.makeToken({ by: "installation" }, { name: "kept", expires_in_s: null });
  const [mine, other] = [
    await world.enter("ports/1", lent.secret),
    await world.enter("ports/1", kept.secret),
  ];
  const unused = await world.open("ports/1", "", lent.secret);
  const stream = async ({ host, cookie }: typeof mine) => {
    const request = openRequest({ port, path: "/", headers: { host, cookie, ...OWN }, agent: false }).end();
    const [answer] = await once(request, "response");
    await once(answer, "data");
    return { request, answer };
  };
  const cut = await stream(mine);
  const untouched = await stream(other);
  const upgrade = openRequest({
    port,
    agent: false,
    headers: {
      host: mine.host,
      cookie: mine.cookie,
      origin: `http://${mine.host}`,
      connection: "Upgrade",
      upgrade: "websocket",
      "sec-websocket-key": key,
      "sec-websocket-version": "13",
    },
  }).end();
  const [, socket] = await once(upgrade, "upgrade");
  const socket_closed = closed(socket);
  socket.resume();
  const stream_cut = closed(cut.answer);
  await sign_ins.revoke(lent.record.token_id);
  await Promise.all([stream_cut, socket_closed]);
  assert.equal(cut.answer.complete, false);
  const status = async ({ host, cookie }: typeof mine) =>
    (await world.ask({ host, headers: { ...OWN, cookie }, method: "HEAD" })).status;
  assert.equal(await status(mine), 401);
  const gone = await world.ask({
    host: unused.host,
    path: unused.pathname + unused.search,
    headers: NAVIGATION,
  });
  assert.equal(gone.status, 401, "a code that it made before is void too");
  assert.equal(untouched.answer.destroyed, false);
  untouched.request.destroy();
});

test("what a sandbox serves is not shown at the API's own address to a browser that is signed in", async () => {
  await using world = await PreviewWorld.start({ token: TOKEN });
  await using inside = await listenHttp((_request, response) => response.end("<h1>hello"));
  world.ports.set(1, inside.port);
  const { secret } = await world.server.sign_ins.makeBrowser({ by: "installation" }, "old browser");
  const host = `sealwork.localhost:${world.server.port}`;
  const headers = { cookie: `__Host-sealwork=${secret}` };
  const path = `/jobs/${world.job_id}/ports/1/`;
  const page = await world.ask({ host, path, headers });
  assert.equal(page.status, 403);
  assert.doesNotMatch(page.text, /hello/);
  const live = new WebSocket(`ws://127.0.0.1:${world.server.port}${path}`, {
    headers: { ...headers, host, origin: `http://${host}` },
  });
  const [, refused] = await once(live, "unexpected-response");
  refused.destroy();
  assert.equal(refused.statusCode, 403);
});

test("a WebSocket into a sandbox ends with the browser that opened it", async () => {
  await using world = await PreviewWorld.start({ token: TOKEN });
  await using inside = await RawServer.listen((socket, heard) => socket.write(heard));
  world.ports.set(1, inside.port);
  const { sign_ins, port } = world.server;
  const { record, secret } = await sign_ins.makeBrowser({ by: "installation" }, "mine");
  const host = `sealwork.localhost:${port}`;
  const headers = { host, origin: `http://${host}`, cookie: `__Host-sealwork=${secret}` };
  const live = new WebSocket(`ws://127.0.0.1:${port}/jobs/${world.job_id}/forward/1`, { headers });
  await once(live, "open");
  live.send(Buffer.from("GET / HTTP/1.1\r\n\r\n"));
  const [echoed] = await once(live, "message");
  assert.match(String(echoed), /^GET/);
  const [[code]] = await Promise.all([once(live, "close"), sign_ins.revoke(record.token_id)]);
  assert.equal(code, 1006, "it is cut");
});
