import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { networkInterfaces } from "node:os";
import { duplexPair } from "node:stream";
import { test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import { connectPort } from "./connect-port.ts";

const has_ipv6 = Object.values(networkInterfaces())
  .flat()
  .some((one) => one?.address === "::1");

for (const address of ["127.0.0.1", "::1"]) {
  const skip = address === "::1" && !has_ipv6 ? "this machine has no ::1" : false;
  test(`a server that listens on ${address} alone is found, and each direction ends by itself`, {
    skip,
  }, async (t) => {
    const server = createServer({ allowHalfOpen: true }, (socket) => {
      let heard = "";
      socket.on("data", (chunk) => {
        heard += chunk;
      });
      socket.on("end", () => socket.end(`heard ${heard}`));
    }).listen(0, address);
    t.after(() => server.close());
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    const take = await connectPort(port, AbortSignal.timeout(10_000));
    const [ours, theirs] = duplexPair();
    take(theirs);
    ours.end("hello");
    assert.equal(Buffer.concat(await ours.toArray()).toString(), "heard hello");
  });
}

test("where nothing listens that is said, and a stream that is dropped takes its connection along", async () => {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const connected = once(server, "connection");
  const take = await connectPort(port, AbortSignal.timeout(10_000));
  const [, theirs] = duplexPair();
  take(theirs);
  const [inside] = await connected;
  inside.on("error", () => undefined);
  theirs.destroy();
  await once(inside.resume(), "close");
  server.close();
  await once(server, "close");
  await assert.rejects(connectPort(port, AbortSignal.timeout(10_000)), { code: "not_found" });
});

test("a connection that is reset before somebody takes it is closed for who takes it", async (t) => {
  const server = createServer().listen(0, "127.0.0.1");
  t.after(() => server.close());
  await once(server, "listening");
  const connected = once(server, "connection");
  const take = await connectPort((server.address() as AddressInfo).port, AbortSignal.timeout(10_000));
  const [inside] = await connected;
  inside.resetAndDestroy();
  await once(inside, "close");
  // It is heard of in a later turn than that in which it was made.
  for (let turn = 0; turn < 10; turn += 1) await nextTurn();
  const [, theirs] = duplexPair();
  const closed = once(theirs, "close");
  take(theirs);
  await closed;
});
