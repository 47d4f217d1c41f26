import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { test } from "node:test";
import { serveOutPorts } from "../runner/link/out-ports.ts";
import { bytes, hasCode, sha256Of } from "./link-fixture.ts";
import { closed, hashOf, withOut } from "./link-out-fixture.ts";
import type { OutServices } from "./out-services.ts";

test("programs reach the services through the loopback ports: bytes, ends and resets arrive as they are", async () => {
  const given: Duplex[] = [];
  const half: OutServices["models"] = async (connection) => connection.end(await hashOf(connection));
  const kept: OutServices["egress"] = (connection) => {
    given.push(connection);
    connection.on("data", (chunk: Buffer) => {
      if (chunk.toString() === "reset me") connection.destroy();
      else connection.write(chunk);
    });
  };
  await withOut({ out: { models: half, egress: kept } }, async ({ out }) => {
    await using served = await serveOutPorts({
      out,
      models: true,
      egress: true,
      ports: { models: 0, egress: 0 },
    });
    const dial = (port: number | undefined): Socket => {
      const socket = connect({ port: port ?? 0, host: "127.0.0.1", allowHalfOpen: true });
      return socket.on("error", () => undefined);
    };
    const asking = dial(served.ports.models);
    bytes(50 * 1024 * 1024).pipe(asking);
    assert.equal((await asking.toArray()).join(""), await sha256Of(bytes(50 * 1024 * 1024)));

    const resetting = dial(served.ports.egress);
    resetting.write("reset me");
    await once(resetting, "error");

    const leaving = dial(served.ports.egress);
    leaving.write("hello");
    await once(leaving, "data");
    leaving.resetAndDestroy();
    const last = given.at(-1);
    assert(last);
    await closed(last);
    assert(hasCode("link_lost")(last.errored), String(last.errored));
  });
});

test("a port that is not wanted is not opened, and a program's connection is reset when nothing serves it", () =>
  withOut({ outbound: null }, async ({ out }) => {
    await using served = await serveOutPorts({
      out,
      models: true,
      egress: false,
      ports: { models: 0, egress: 0 },
    });
    assert.deepEqual(Object.keys(served.ports), ["models"]);
    const socket = connect({ port: served.ports.models ?? 0, host: "127.0.0.1" });
    const [error] = await once(socket, "error");
    assert.equal(error.code, "ECONNRESET");
  }));
