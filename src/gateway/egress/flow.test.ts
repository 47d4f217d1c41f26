import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type IncomingMessage, type RequestListener } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import type { Duplex } from "node:stream";
import { test } from "node:test";
import { listen, ownRegistry, readAll, TestProxy } from "./egress.fake.ts";
import { Lookups } from "./lookups.ts";

const MiB = 1024 * 1024;
const names = { "registry.test": ["127.0.0.1"] };

/** A web server, and a proxy through which it is reached as registry.test. */
async function origin(
  handle: RequestListener,
  options: Partial<ConstructorParameters<typeof TestProxy>[0]> = {},
) {
  const server = createServer(handle);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    port,
    proxy: new TestProxy({ names, registries: [ownRegistry(port)], ...options }),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

/** A tunnel that stands: what is read from here on comes from the server. */
async function openTunnel(proxy: TestProxy, port: number): Promise<Duplex> {
  const program = proxy.connect();
  program.write(`CONNECT registry.test:${port} HTTP/1.1\r\nHost: registry.test:${port}\r\n\r\n`);
  const [answer] = await once(program, "data");
  assert.equal(String(answer), "HTTP/1.1 200 Connection established\r\n\r\n");
  return program;
}

/** Takes all that comes and ends with the other side. */
function untilEnd(socket: Socket): void {
  socket.resume().once("end", () => socket.end());
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  return Buffer.concat(await Array.fromAsync<Buffer>(request)).toString();
}

test("a tunnel carries bytes both ways, what came with the request included, and each direction ends by itself", async () => {
  await using server = await listen((socket) => {
    let got = "";
    socket.on("data", (chunk) => {
      got += chunk;
    });
    socket.on("end", () => socket.end(`you said ${got}`));
  });
  const proxy = new TestProxy({ names, registries: [ownRegistry(server.port)] });
  const program = proxy.connect();
  const request = `CONNECT registry.test:${server.port} HTTP/1.1\r\nHost: registry.test\r\n\r\n`;
  const reading = readAll(program);
  program.end(`${request}\x16\x03 hello`);
  assert.equal(await reading, "HTTP/1.1 200 Connection established\r\n\r\nyou said \x16\x03 hello");
});

test("a tunnel holds its sender up when nobody reads at the other end", async () => {
  const MOST = 64;
  const arrived: Socket[] = [];
  await using server = await listen((socket) => arrived.push(socket));
  const proxy = new TestProxy({ names, registries: [ownRegistry(server.port)] });
  const chunk = Buffer.alloc(MiB);
  const send = (program: Duplex) => {
    const sent = { count: 0 };
    for (let i = 0; i < MOST; i++) program.write(chunk, () => ++sent.count);
    program.end();
    return sent;
  };
  const held = await openTunnel(proxy, server.port);
  const sent = send(held);
  // Another tunnel carries as much from end to end meanwhile: time enough for all of it, if nothing held it up.
  const other = await openTunnel(proxy, server.port);
  send(other);
  const [unread, read] = arrived;
  assert(unread !== undefined && read !== undefined);
  await once(read.resume(), "end");
  // The buffers of the operating system take some.
  assert.ok(sent.count < MOST, `${sent.count} MiB were taken`);
  let received = 0;
  unread.on("data", (data) => {
    received += data.length;
  });
  await once(unread, "end");
  assert.equal(received, MOST * MiB);
  for (const program of [held, other]) program.destroy();
});

test("whichever side breaks off, the other side is told and nothing stays open", async () => {
  await using server = await listen(untilEnd);
  const proxy = new TestProxy({ names, registries: [ownRegistry(server.port)] });
  const left = await openTunnel(proxy, server.port);
  left.destroy();
  const [first] = server.connections;
  assert(first !== undefined);
  if (!first.destroyed) await once(first, "close");
  const cut = await openTunnel(proxy, server.port);
  server.connections[1]?.resetAndDestroy();
  assert.equal(await readAll(cut), "");
  assert.deepEqual(proxy.logged, []);
});

test("a connection that is given up while its name is resolved or a person is asked reaches nothing", async () => {
  await using server = await listen((socket) => socket.end());
  const resolving = Promise.withResolvers<string[]>();
  const asked = Promise.withResolvers<boolean>();
  const slow = { "registry.test": () => resolving.promise, "other.test": ["93.184.215.14"] };
  const proxy = new TestProxy({ names: slow, registries: [ownRegistry(server.port)], opens: asked.promise });
  for (const host of ["registry.test", "other.test"]) {
    const program = proxy.connect();
    program.write(`CONNECT ${host}:${server.port} HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
    while (proxy.resolved.length === 0 || (host === "other.test" && proxy.asked.length === 0))
      await new Promise((next) => setImmediate(next));
    program.destroy();
    await once(program, "close");
  }
  resolving.resolve(["127.0.0.1"]);
  asked.resolve(true);
  const { status } = await proxy.tunnel(`registry.test:${server.port}`);
  assert.equal(status, 200);
  assert.equal(server.connections.length, 1, "only the one that waited");
});

test("a plain request arrives with its own Host and without the fields of the connection, and so does its answer", async () => {
  const seen: string[][] = [];
  await using server = await origin(async (request, response) => {
    seen.push([request.method ?? "", request.url ?? "", ...request.rawHeaders, await bodyOf(request)]);
    response.writeHead(201, "Made", [
      ["Set-Cookie", "a=1"],
      ["Set-Cookie", "b=2"],
      ["Proxy-Authenticate", "Basic"],
      ["X-Gone", "1"],
      ["Connection", "close, X-Gone"],
    ]);
    response.end("done");
  });
  const { port, proxy } = server;
  const text = await proxy.say(
    `POST http://REGISTRY.test:${port}?q=%20 HTTP/1.1\r\nhost: Registry.Test.:${port}\r\nConnection: close, X-Mine\r\nX-Mine: 1\r\nX-Kept: 2\r\n` +
      `Proxy-Authorization: Basic c2VjcmV0\r\nProxy-Connection: keep-alive\r\nTE: trailers\r\nUpgrade: websocket\r\nContent-Length: 3\r\n\r\nabc`,
  );
  const sent = ["Host", `registry.test:${port}`, "X-Kept", "2", "Content-Length", "3", "Connection", "close"];
  assert.deepEqual(seen, [["POST", "/?q=%20", ...sent, "abc"]]);
  assert.match(text, /^HTTP\/1\.1 201 Made\r\n/);
  assert.match(text, /Set-Cookie: a=1\r\nSet-Cookie: b=2\r\n/);
  assert.doesNotMatch(text, /Proxy-Authenticate|X-Gone/);
  assert.match(text, /\r\n\r\n(4\r\n)?done/);
});

test("chunked bodies, Expect and several requests on one connection pass; what follows a body is the next request and nothing else", async () => {
  const seen: string[] = [];
  await using server = await origin(async (request, response) => {
    seen.push(
      `${request.method} ${request.url} ${request.headers["transfer-encoding"] ?? "-"} ${await bodyOf(request)}`,
    );
    response.end(request.url);
  });
  const { port, proxy } = server;
  const head = (line: string) => `${line} HTTP/1.1\r\nHost: registry.test:${port}\r\n`;
  const text = await proxy.say(
    `${head(`PUT http://registry.test:${port}/a`)}Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nTrailer: x\r\n\r\n` +
      `${head(`GET http://registry.test:${port}/b`)}\r\n` +
      `${head(`POST http://registry.test:${port}/c`)}Connection: close\r\nContent-Length: 18\r\n\r\nGET /smuggled HTTP`,
  );
  assert.deepEqual(seen.sort(), ["GET /b - ", "POST /c - GET /smuggled HTTP", "PUT /a chunked hello"]);
  assert.match(text, /^HTTP\/1\.1 100 Continue\r\n\r\n/);
  const bodies = Array.from(text.matchAll(/\n(\/[abc])(?=\r?\n|HTTP|$)/g), ([, body]) => body);
  assert.deepEqual(bodies, ["/a", "/b", "/c"]);
});

test("a request is judged by itself, whatever was allowed before it on its connection", async () => {
  await using server = await origin((_, response) => response.end("fine"));
  const { port, proxy } = server;
  const text = await proxy.say(
    `GET http://registry.test:${port}/ HTTP/1.1\r\nHost: registry.test:${port}\r\n\r\nGET http://evil.example/ HTTP/1.1\r\nHost: evil.example\r\n\r\n`,
  );
  assert.deepEqual(
    Array.from(text.matchAll(/HTTP\/1\.1 (\d+)/g), ([, status]) => status),
    ["200", "403"],
  );
  assert.deepEqual(
    proxy.denied.map(({ host, rule }) => [host, rule]),
    [["evil.example", "policy"]],
  );
});

test("an answer that breaks off never looks whole, and what is no HTTP answer is 502", async () => {
  await using cut = await origin((_, response) => {
    response.writeHead(200, { "content-length": "100" });
    response.write("half", () => response.destroy());
  });
  const get = (port: number) =>
    `GET http://registry.test:${port}/ HTTP/1.1\r\nHost: registry.test:${port}\r\n\r\n`;
  const text = await cut.proxy.say(get(cut.port));
  assert.match(text, /Content-Length: 100\r\n[\s\S]*\r\n\r\nhalf$/i);
  const answers = [
    "SSH-2.0-server\r\n",
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
    "",
  ];
  for (const answer of answers) {
    await using server = await listen((socket) => socket.end(answer));
    const proxy = new TestProxy({ names, registries: [ownRegistry(server.port)] });
    assert.match(await proxy.say(get(server.port)), /^HTTP\/1\.1 502 /, answer);
    assert.deepEqual(proxy.denied, []);
  }
});

test("a job has so many connections at most, to the proxy and beyond it, and gets its places back", async () => {
  await using server = await listen(untilEnd);
  const proxy = new TestProxy({ names, registries: [ownRegistry(server.port)], limits: { connections: 3 } });
  const open = [
    await openTunnel(proxy, server.port),
    await openTunnel(proxy, server.port),
    await openTunnel(proxy, server.port),
  ];
  const refused = await proxy.say("");
  assert.match(refused, /^HTTP\/1\.1 429 .*"too_many_requests"/s);
  assert.deepEqual(
    proxy.denied.map(({ rule }) => rule),
    ["limit"],
  );
  for (const program of open) program.destroy();
  await Promise.all(server.connections.map((socket) => socket.destroyed || once(socket, "close")));
  (await openTunnel(proxy, server.port)).destroy();
  // One connection with many requests at once holds as many places as it has requests.
  await using slow = await origin(() => undefined, { limits: { connections: 3 } });
  const program = slow.proxy.connect();
  const one = `GET http://registry.test:${slow.port}/ HTTP/1.1\r\nHost: registry.test:${slow.port}\r\n\r\n`;
  program.write(one.repeat(5));
  while (slow.proxy.denied.length < 2) await new Promise((next) => setImmediate(next));
  assert.deepEqual(
    slow.proxy.denied.map(({ rule }) => rule),
    ["limit", "limit"],
  );
  program.destroy();
});

test("a job that has used up its bytes is cut, and let out no more", async () => {
  await using server = await listen((socket) => {
    const more = () => {
      while (!socket.destroyed && socket.write(Buffer.alloc(64 * 1024)));
    };
    socket.on("drain", more);
    more();
  });
  const proxy = new TestProxy({ names, registries: [ownRegistry(server.port)], limits: { bytes: MiB } });
  const program = await openTunnel(proxy, server.port);
  program.resume();
  await once(program, "close");
  const again = await proxy.tunnel(`registry.test:${server.port}`);
  assert.deepEqual([again.status, again.rules], [429, ["limit"]]);
});

test("a connection on which nothing moves is closed: before a request, between requests, in a tunnel, before an answer", async () => {
  await using server = await origin(() => undefined, { limits: { idle_ms: 100 }, times: { head_ms: 100 } });
  const { port, proxy } = server;
  assert.equal(await proxy.say("GET http://regis"), "");
  const address = `http://registry.test:${port}/`;
  assert.match(
    await proxy.say(`GET ${address} HTTP/1.1\r\nHost: registry.test:${port}\r\n\r\n`),
    /^HTTP\/1\.1 502 /,
  );
  const refused = await proxy.say("GET http://evil.example/ HTTP/1.1\r\nHost: evil.example\r\n\r\n");
  assert.match(refused, /^HTTP\/1\.1 403 /);
  assert.equal(await readAll(await openTunnel(proxy, port)), "");
});

test("lookups of one job do not keep another from its own, and one name is looked up once for all who wait", async () => {
  const begun: string[] = [];
  const answers = new Map<string, PromiseWithResolvers<string[]>>();
  const lookups = new Lookups((name) => {
    begun.push(name);
    const answer = Promise.withResolvers<string[]>();
    answers.set(name, answer);
    return answer.promise;
  });
  const [greedy, other] = [{}, {}];
  const given_up = new AbortController();
  const first = lookups.resolve("a.test", greedy, given_up.signal);
  const second = lookups.resolve("b.test", greedy, given_up.signal);
  const third = lookups.resolve("c.test", other, given_up.signal);
  const shared = lookups.resolve("c.test", greedy, given_up.signal);
  assert.deepEqual(begun, ["a.test", "c.test"]);
  answers.get("c.test")?.resolve(["192.0.2.3"]);
  assert.deepEqual(await Promise.all([third, shared]), [["192.0.2.3"], ["192.0.2.3"]]);
  given_up.abort(new Error("given up"));
  await assert.rejects(second, /given up/);
  await assert.rejects(first, /given up/);
  answers.get("a.test")?.reject(new Error("no such name"));
  const last = lookups.resolve("d.test", greedy, new AbortController().signal);
  while (!begun.includes("d.test")) await new Promise((next) => setImmediate(next));
  answers.get("d.test")?.resolve([]);
  assert.deepEqual([await last, begun], [[], ["a.test", "c.test", "d.test"]]);
});
