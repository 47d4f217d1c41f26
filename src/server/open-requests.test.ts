import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import net, { type AddressInfo } from "node:net";
import { test } from "node:test";
import { OpenRequests } from "./open-requests.ts";

test("the signal for a client that is gone already is aborted, for no event will say so any more", async () => {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  try {
    const socket = net.connect((server.address() as AddressInfo).port, "127.0.0.1");
    socket.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    const [, raw] = await once(server, "request");
    socket.destroy();
    await once(raw, "close");
    assert.equal(new OpenRequests().signal({ raw }).aborted, true);
  } finally {
    server.close();
  }
});
