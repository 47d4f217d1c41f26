import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { test } from "node:test";
import { CONNECTIONS_MAX, serveOutPorts } from "../runner/link/out-ports.ts";
import { bytes, hasCode, sha256Of } from "./link-fixture.ts";
import { closed, echo, hashOf, withOut } from "./link-out-fixture.ts";
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

test("more connections than a port has room for are closed at once, and room comes back", () =>
  withOut({ out: { models: echo } }, async ({ out }) => {
    await using served = await serveOutPorts({
      out,
      models: true,
      egress: false,
      ports: { models: 0, egress: 0 },
    });
    const dial = async (): Promise<Socket | null> => {
      const socket = connect({ port: served.ports.models ?? 0, host: "127.0.0.1" }).on(
        "error",
        () => undefined,
      );
      socket.write("x");
      const answered = await new Promise((resolve) => {
        socket.once("data", () => resolve(true));
        socket.once("close", () => resolve(false));
      });
      return answered === true ? socket : null;
    };
    const open = await Promise.all(Array.from({ length: CONNECTIONS_MAX.models }, dial));
    assert.ok(open.every((socket) => socket !== null));
    assert.equal(await dial(), null);
    for (const socket of open) socket?.destroy();
    await Promise.all(open.map((socket) => socket && closed(socket)));
    let again: Socket | null = null;
    while (again === null) again = await dial();
    again.destroy();
  }));

test("a port that something else has is an error that names it", () =>
  withOut({}, async ({ out }) => {
    const given = { out, models: true, egress: false };
    await using served = await serveOutPorts({ ...given, ports: { models: 0, egress: 0 } });
    const taken = served.ports.models ?? 0;
    await assert.rejects(
      serveOutPorts({ ...given, ports: { models: taken, egress: 0 } }),
      hasCode("conflict"),
    );
  }));
