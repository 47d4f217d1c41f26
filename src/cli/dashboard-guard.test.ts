import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:net";
import { test } from "node:test";
import { connect } from "node:tls";
import { judgeOpening } from "./dashboard-guard.ts";

/** What is said of a text once so much of it has come. */
const judge = (text: string) => judgeOpening(Buffer.from(text));

/** The verdict on each beginning of a text, in the order in which they change. */
function course(text: string): string[] {
  const verdicts = Array.from(text, (_, at) => judge(text.slice(0, at + 1)));
  return verdicts.filter((verdict, at) => verdict !== verdicts[at - 1]);
}

test("a request by the dashboard's name is refused as soon as its Host is there, however it is written", () => {
  for (const host of [
    "sealwork.localhost:5173",
    "SEALWORK.localhost",
    "sealwork.localhost.:80",
    "sealwork.localhost ",
  ])
    assert.deepEqual(course(`GET / HTTP/1.1\r\nHost: ${host}\r\nCookie: __Host-sealwork=s\r\n\r\n`), [
      "wait",
      "refuse",
    ]);
  assert.deepEqual(course("POST /x HTTP/1.1\nA: b\nhost:sealwork.localhost\n\n"), ["wait", "refuse"]);
});

test("a request by another name passes once its head is there", () => {
  for (const host of [
    "localhost:5173",
    "127.0.0.1:5173",
    "x.sealwork.localhost",
    "sealwork.localhost.example",
    "a",
  ])
    assert.deepEqual(
      course(`GET / HTTP/1.1\r\nHost: ${host}\r\nX: sealwork.localhost\r\n\r\n`),
      ["wait", "pass"],
      host,
    );
  assert.equal(judge("GET /?host:sealwork.localhost HTTP/1.1\r\nHost: a\r\n\r\n"), "pass");
});

test("other protocols pass as soon as they are seen to be none of a browser", () => {
  for (const [text, verdict] of [
    ["PING\r\n", "pass"],
    ["RFB 003.008\n", "pass"],
    ["EHLO x", "pass"],
    ["get x\r\n", "pass"],
    ["\0\0\0\x08\x04\xd2\x16\x2f", "pass"],
    ["GET key\r\n", "pass"],
    ["SSH-2.0-x\r\n", "pass"],
    ["GE", "wait"],
    ["PRI * HTTP/2.0\r\n", "pass"],
  ] as const)
    assert.equal(judge(text), verdict, JSON.stringify(text));
});

test("a head that never ends is refused", () => {
  const head = `GET / HTTP/1.1\r\nX: ${"x".repeat(64 * 1024)}`;
  assert.equal(judge(head), "refuse");
});

test("TLS to the dashboard's name is refused, to another one it passes", async () => {
  const opening = async (servername: string): Promise<Buffer> => {
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    const raw = once(server, "connection");
    const address = server.address();
    assert(typeof address === "object" && address !== null);
    const client = connect({ port: address.port, servername, rejectUnauthorized: false });
    client.on("error", () => undefined);
    const [socket] = await raw;
    const [bytes] = await once(socket, "data");
    client.destroy();
    socket.destroy();
    server.close();
    return bytes;
  };
  assert.equal(judgeOpening(await opening("localhost")), "pass");
  const bytes = await opening("sealwork.localhost");
  assert.equal(judgeOpening(bytes), "refuse");
  assert.equal(judgeOpening(bytes.subarray(0, 3)), "wait");
  assert.equal(judgeOpening(bytes.subarray(0, 20)), "wait");
});
