import assert from "node:assert/strict";
import { once } from "node:events";
import type { AddressInfo, Socket } from "node:net";
import { test } from "node:test";
import WebSocket, { WebSocketServer } from "ws";
import { raw } from "../test-server.fake.ts";
import { CONNECTIONS_MAX } from "./connection-slots.ts";
import { JUPYTER_TOKEN, listenHttp, NAVIGATION, OWN, PreviewWorld, RawServer } from "./preview-fixture.ts";

const OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const FETCH = "Sec-Fetch-Site: same-origin\r\nSec-Fetch-Mode: cors\r\nSec-Fetch-Dest: empty\r\n";

test("a body goes in whole, in length or in chunks, and the answer comes back with its status, headers and bytes", async () => {
  await using world = await PreviewWorld.start();
  const bodies: string[] = [];
  await using inside = await listenHttp(async (request, response) => {
    const text = Buffer.concat(await request.toArray()).toString();
    bodies.push(`${request.method} ${request.url} ${request.headers["content-length"]} ${text}`);
    response.writeHead(201, [
      ...["Set-Cookie", "a=1"],
      ...["Set-Cookie", "b=2; Path=/"],
      ...["X-Odd", "\xe4"],
    ]);
    response.end(Buffer.from([0, 255, 1]));
  });
  world.ports.set(1, inside.port);
  const { host, cookie } = await world.enter("ports/1");
  const headers = { ...OWN, cookie };
  const answer = await world.ask({ host, path: "/a%20b?c=%2F", method: "POST", headers, body: "hello" });
  assert.equal(answer.status, 201);
  assert.deepEqual(answer.headers["set-cookie"], ["a=1", "b=2; Path=/"]);
  assert.equal(answer.headers["x-odd"], "\xe4");
  const chunked = `POST / HTTP/1.1\r\nHost: ${host}\r\nCookie: ${cookie}\r\n${FETCH}Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n`;
  assert.match(await raw(world.server.port, chunked), /^HTTP\/1\.1 201/);
  assert.equal((await world.ask({ host, method: "DELETE", headers })).status, 201);
  assert.deepEqual(bodies, ["POST /a%20b?c=%2F 5 hello", "POST / undefined abcde", "DELETE / 0 "]);
  assert.equal((await world.ask({ host, method: "HEAD", headers })).text, "");
});

test("nothing is smuggled in: a request is one request, whatever its lengths and lines say", async () => {
  await using world = await PreviewWorld.start();
  await using page = await RawServer.listen(OK);
  world.ports.set(1, page.port);
  const { host, cookie } = await world.enter("ports/1");
  const base = `Host: ${host}\r\nCookie: ${cookie}\r\n${FETCH}Connection: close\r\n`;
  const inner = "GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n";
  const probes = {
    both_lengths: `POST / HTTP/1.1\r\n${base}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${inner}`,
    two_lengths: `POST / HTTP/1.1\r\n${base}Content-Length: 0\r\nContent-Length: ${inner.length}\r\n\r\n${inner}`,
    list_of_lengths: `POST / HTTP/1.1\r\n${base}Content-Length: 0, 0\r\n\r\n${inner}`,
    odd_coding: `POST / HTTP/1.1\r\n${base}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n`,
    unknown_coding: `POST / HTTP/1.1\r\n${base}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n`,
    space_before_colon: `POST / HTTP/1.1\r\n${base}Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n`,
    folded_line: `POST / HTTP/1.1\r\n${base}X-A: b\r\n Transfer-Encoding: chunked\r\n\r\n`,
    bare_line_feed: `GET / HTTP/1.1\nHost: ${host}\nCookie: ${cookie}\n\n`,
    chunk_size: `POST / HTTP/1.1\r\n${base}Transfer-Encoding: chunked\r\n\r\n0x2\r\nab\r\n0\r\n\r\n`,
    chunk_extension: `POST / HTTP/1.1\r\n${base}Transfer-Encoding: chunked\r\n\r\n2;\n\r\nab\r\n0\r\n\r\n`,
    other_host_in_target: `GET http://127.0.0.1/ HTTP/1.1\r\n${base}\r\n`,
    no_host: `GET / HTTP/1.1\r\nCookie: ${cookie}\r\nConnection: close\r\n\r\n`,
    asterisk: `OPTIONS * HTTP/1.1\r\n${base}\r\n`,
    tunnel: `CONNECT ${host} HTTP/1.1\r\n${base}\r\n`,
  };
  for (const [name, probe] of Object.entries(probes)) {
    const answer = await raw(world.server.port, probe).catch(() => "");
    assert.doesNotMatch(answer, /^HTTP\/1\.1 200/, `${name}: ${answer}`);
  }
  assert.deepEqual(
    page.heard.filter((one) => /smuggled|GET http|\* HTTP/.test(one)),
    [],
  );
  // A length that the client names in Connection is still told, and another protocol that it wants is not spoken.
  const named = `POST / HTTP/1.1\r\n${base.replace("close", "close, content-length, upgrade")}Upgrade: h2c\r\nHTTP2-Settings: AA\r\nContent-Length: ${inner.length}\r\n\r\n${inner}`;
  assert.match(await raw(world.server.port, named), /^HTTP\/1\.1 200/);
  const heard = page.heard.at(-1) ?? "";
  assert.match(heard, new RegExp(`\\r\\nContent-Length: ${inner.length}\\r\\n`));
  assert.doesNotMatch(heard, /h2c|http2-settings/i);
  assert.match(heard, /\r\nConnection: close\r\n/i);
  // Two requests over one connection of a client are two connections inside.
  const before = page.heard.length;
  const one = `GET /1 HTTP/1.1\r\nHost: ${host}\r\nCookie: ${cookie}\r\n${FETCH}\r\n`;
  const two = await raw(world.server.port, one + one.replace("Cookie", "Connection: close\r\nCookie"));
  assert.equal(two.match(/HTTP\/1\.1 200/g)?.length, 2);
  assert.deepEqual(
    page.heard.slice(before).map((text) => text.match(/HTTP\/1\.1/g)?.length),
    [1, 1],
  );
});

test("a server inside that speaks no HTTP, answers twice, breaks off or switches protocols harms nobody", async () => {
  await using world = await PreviewWorld.start();
  const { host, cookie } = await world.enter("ports/1");
  const ask = async (answer: string) => {
    await using page = await RawServer.listen(answer);
    world.ports.set(1, page.port);
    return await world.ask({ host, headers: { ...NAVIGATION, cookie } }).catch(() => null);
  };
  for (const answer of [
    "",
    "SSH-2.0-OpenSSH\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
    `HTTP/1.1 200 OK\r\nX: ${"x".repeat(100_000)}\r\n\r\n`,
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\nx",
    "HTTP/1.1 700 What\r\n\r\n",
  ])
    assert.deepEqual([(await ask(answer))?.status, answer.slice(0, 60)], [502, answer.slice(0, 60)]);
  const early = await ask(`HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n${OK}HTTP/1.1 200 OK\r\n\r\nagain`);
  assert.deepEqual([early?.status, early?.text], [200, "ok"]);
  // What is cut is not taken for the whole.
  assert.equal(await ask("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nok"), null);
  assert.equal((await ask(OK))?.status, 200);
});

test("so many requests at a time go into one sandbox, and one that stands still holds only its own place", async () => {
  await using world = await PreviewWorld.start();
  const waiting: Socket[] = [];
  const arrived = new EventTarget();
  await using page = await RawServer.listen((socket) => {
    waiting.push(socket);
    arrived.dispatchEvent(new Event("one"));
  });
  world.ports.set(1, page.port);
  const { host, cookie } = await world.enter("ports/1");
  const headers = { ...OWN, cookie };
  const asked = Array.from({ length: CONNECTIONS_MAX }, () => world.ask({ host, headers }));
  while (waiting.length < CONNECTIONS_MAX) await once(arrived, "one");
  assert.equal((await world.ask({ host, headers })).status, 429);
  waiting[0]?.end(OK);
  await Promise.race(asked);
  const next = world.ask({ host, headers });
  while (waiting.length <= CONNECTIONS_MAX) await once(arrived, "one");
  for (const socket of waiting.slice(1)) socket.end(OK);
  const answers = await Promise.all([...asked, next]);
  assert.ok(answers.every(({ status }) => status === 200));
});

async function echo(): Promise<AsyncDisposable & { port: number; asked: string[]; server: WebSocketServer }> {
  const asked: string[] = [];
  const server = new WebSocketServer({ port: 0, host: "127.0.0.1", handleProtocols: () => "of-mine" });
  server.on("connection", (socket, request) => {
    asked.push(`${request.url} ${JSON.stringify(request.headers)}`);
    socket.on("message", (data, isBinary) => socket.send(data, { binary: isBinary }));
  });
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    asked,
    server,
    async [Symbol.asyncDispose]() {
      for (const client of server.clients) client.terminate();
      server.close();
    },
  };
}

test("a WebSocket of the preview's own pages passes through, others do not; what is typed counts as work, pongs do not", async () => {
  await using world = await PreviewWorld.start();
  await using inside = await echo();
  world.ports.set(1, inside.port);
  const { host, cookie } = await world.enter("ports/1");
  const connect = (headers: Record<string, string>) =>
    new WebSocket(`ws://127.0.0.1:${world.server.port}/ws?a=1`, ["of-mine"], {
      headers: { host, ...headers },
    });
  const origin = `http://${host}`;
  const refusal = async (headers: Record<string, string>) => {
    const socket = connect(headers);
    socket.on("error", () => undefined);
    const [, answer] = await once(socket, "unexpected-response");
    socket.terminate();
    return answer.statusCode;
  };
  for (const [headers, status] of [
    [{ cookie }, 403],
    [{ cookie, origin: "http://evil.example" }, 403],
    [{ cookie, origin: `http://${host.replace(/:.*/, ":1")}` }, 403],
    [{ cookie, origin: "null" }, 403],
    [{ cookie, origin, "sec-fetch-site": "cross-site" }, 403],
    [{ origin }, 401],
    [{ origin, cookie: `${cookie}x` }, 401],
  ] as const)
    assert.equal(await refusal(headers), status, JSON.stringify(headers));
  assert.equal(inside.asked.length, 0);
  const touched = world.touches;
  const socket = connect({ cookie: `${cookie}; theirs=1`, origin });
  await once(socket, "open");
  assert.equal(socket.protocol, "of-mine");
  assert.equal(world.touches, touched);
  for (const message of ["hello", "x".repeat(1_000_000)]) {
    socket.send(message);
    const [said] = await once(socket, "message");
    assert.equal(String(said), message);
  }
  assert.equal(world.touches, touched + 2);
  for (const client of inside.server.clients) client.ping();
  await once(socket, "ping");
  socket.ping();
  await once(socket, "pong");
  assert.equal(world.touches, touched + 2);
  assert.match(inside.asked[0] ?? "", /^\/ws\?a=1 .*"cookie":"theirs=1"/);
  assert.doesNotMatch(inside.asked[0] ?? "", /__Host/);
  world.ports.delete(1);
  assert.equal(await refusal({ cookie, origin }), 502);
  world.endJob();
  await once(socket, "close");
  assert.equal(world.connections, 0);
});

test("going to a page and sending something count as work, what a page polls by itself does not", async () => {
  await using world = await PreviewWorld.start();
  await using page = await RawServer.listen(OK);
  world.ports.set(1, page.port);
  const { host, cookie } = await world.enter("ports/1");
  const touches = async (headers: Record<string, string>, method: string) => {
    const before = world.touches;
    await world.ask({ host, method, headers: { cookie, ...headers } });
    return world.touches - before;
  };
  assert.equal(await touches(NAVIGATION, "GET"), 1);
  assert.equal(await touches(OWN, "POST"), 1);
  assert.equal(await touches(OWN, "GET"), 0);
  world.ports.clear();
  assert.equal(await touches(NAVIGATION, "GET"), 0);
});

test("programs ask by path with the server's token, which goes no further; browsers are sent to an origin of its own", async () => {
  await using world = await PreviewWorld.start({ token: "swt_ours" });
  await using page = await RawServer.listen(
    "HTTP/1.1 302 Found\r\nLocation: /next\r\nSet-Cookie: a=1\r\nAccess-Control-Allow-Origin: *\r\nContent-Type: text/html\r\nContent-Length: 2\r\n\r\nok",
  );
  world.ports.set(80, page.port);
  const host = `127.0.0.1:${world.server.port}`;
  const path = `/jobs/${world.job_id}/ports/80`;
  const authorization = "Bearer swt_ours";
  assert.equal((await world.ask({ host, path: `${path}/` })).status, 401);
  const answer = await world.ask({
    host,
    path: `${path}/a//b?c=/d?e`,
    method: "PUT",
    headers: { authorization, cookie: "dashboard=1", "content-type": "application/x-odd" },
    body: "{not json",
  });
  assert.deepEqual([answer.status, answer.text, answer.headers.location], [302, "ok", `${path}/next`]);
  assert.equal(answer.headers["set-cookie"], undefined);
  assert.equal(answer.headers["access-control-allow-origin"], undefined);
  assert.match(answer.headers["content-security-policy"] ?? "", /^sandbox; default-src 'none'/);
  assert.match(page.heard[0] ?? "", /^PUT \/a\/\/b\?c=\/d\?e HTTP\/1\.1\r\nHost: localhost:80\r\n/);
  assert.match(page.heard[0] ?? "", /\{not json$/);
  assert.doesNotMatch(page.heard[0] ?? "", /swt_ours|dashboard/);
  assert.match(page.heard[0] ?? "", new RegExp(`X-Forwarded-Prefix: ${path}\r\n`));
  for (const headers of [
    { ...OWN },
    { "sec-fetch-mode": "navigate" },
    { "sec-fetch-site": "none" },
    { "upgrade-insecure-requests": "1" },
  ]) {
    const refused = await world.ask({ host, path: `${path}/`, headers: { authorization, ...headers } });
    assert.equal(refused.status, 403);
    assert.match(refused.text, /ports\/80\/open/);
  }
  // Node's own fetch says a mode, too.
  const fetched = await world.ask({
    host,
    path: `${path}/`,
    headers: { authorization, "sec-fetch-mode": "cors" },
  });
  assert.equal(fetched.status, 302);
  const wrong = await world.ask({ host, path: `${path}/open`, headers: { authorization } });
  assert.deepEqual([wrong.status, wrong.headers.allow], [405, "POST"]);
  const none = await world.ask({ host, path: `/jobs/${world.job_id}/ports/81/`, headers: { authorization } });
  assert.deepEqual([none.status, JSON.parse(none.text).error.code], [502, "port_unanswered"]);
  await world.ask({ host, path, headers: { authorization } });
  assert.match(page.heard[2] ?? "", /^GET \/ HTTP/);
  assert.equal(page.heard.length, 3);
  await using inside = await echo();
  world.ports.set(81, inside.port);
  const url = `ws://${host}/jobs/${world.job_id}/ports/81/ws`;
  const socket = new WebSocket(url, { headers: { authorization } });
  await once(socket, "open");
  socket.send("hello");
  assert.equal(String((await once(socket, "message"))[0]), "hello");
  assert.doesNotMatch(inside.asked.join(), /swt_ours/);
  socket.terminate();
  for (const [headers, status] of [
    [{}, 401],
    [{ authorization, origin: "http://evil.example" }, 403],
  ] as const) {
    const refused = new WebSocket(url, { headers });
    refused.on("error", () => undefined);
    const [, refusal] = await once(refused, "unexpected-response");
    assert.equal(refusal.statusCode, status);
    refused.terminate();
  }
});

test("Jupyter is asked with its own token, by browsers at its origin and by programs at its path", async () => {
  await using world = await PreviewWorld.start({ token: "swt_ours" });
  await using jupyter = await RawServer.listen(OK);
  world.jupyter_port = jupyter.port;
  const base = `/jobs/${world.job_id}/jupyter/`;
  const url = await world.open("jupyter", "?path=/lab/tree/a.ipynb", "swt_ours");
  assert.ok(url.pathname === `${base}lab/tree/a.ipynb`, url.href);
  const { host, cookie } = await world.enter("jupyter", "swt_ours");
  const entry = await world.ask({ host, headers: { ...NAVIGATION, cookie } });
  assert.deepEqual([entry.status, entry.headers.location], [302, `${base}lab`]);
  await world.ask({
    host,
    path: `${base}api`,
    headers: { ...OWN, cookie, authorization: "token of-the-page" },
  });
  const api = { host: `127.0.0.1:${world.server.port}`, path: `${base}api/kernels` };
  await world.ask({ ...api, headers: { authorization: "Bearer swt_ours" } });
  assert.equal(jupyter.heard.length, 2);
  for (const [index, line] of [`GET ${base}api HTTP`, `GET ${base}api/kernels HTTP`].entries()) {
    const heard = jupyter.heard[index] ?? "";
    assert.ok(heard.startsWith(line), heard);
    assert.deepEqual(heard.match(/^authorization: .*$/gim), [`Authorization: token ${JUPYTER_TOKEN}`]);
  }
});
