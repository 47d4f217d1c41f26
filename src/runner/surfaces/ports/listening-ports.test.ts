import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:net";
import { test } from "node:test";
import type { RunnerEventBody } from "../../../contract/event.ts";
import { EGRESS_PORT } from "../../../contract/models.ts";
import { listeningPorts } from "./listening-ports.ts";
import { listeningSockets, parseTable } from "./listening-sockets.ts";
import { PortWatch } from "./port-watch.ts";
import { nameOf, socketsOf } from "./socket-owners.ts";

const HEAD =
  "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n";
const row = (address: string, state: string, inode: number) =>
  `   0: ${address} 00000000:0000 ${state} 00000000:00000000 00:00000000 00000000  1000        0 ${inode} 1 0000000000000000 100 0 0 10 0\n`;

test("the kernel's tables are read: addresses of both kinds, and only what listens", () => {
  const table =
    HEAD +
    row("0100007F:1435", "0A", 11) +
    row("00000000:0050", "0A", 12) +
    row("0100007F:1435", "01", 13) +
    row("00000000000000000000000001000000:1F90", "0A", 14) +
    row("00000000000000000000000000000000:0016", "0A", 15) +
    "half a li";
  assert.deepEqual(parseTable(table), [
    { port: 5173, address: "127.0.0.1", inode: "11" },
    { port: 80, address: "0.0.0.0", inode: "12" },
    { port: 8080, address: "::1", inode: "14" },
    { port: 22, address: "::", inode: "15" },
  ]);
});

test("a server is listed with its process, and the watch says when it opens", async (t) => {
  const told = new EventTarget();
  const events: RunnerEventBody[] = [];
  await using _watch = new PortWatch({
    emit: async (event) => {
      events.push(event);
      told.dispatchEvent(new Event("told"));
    },
  });
  const server = createServer().listen(0, "127.0.0.1");
  t.after(() => server.close());
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  const listed = (await listeningPorts()).find((one) => one.port === port);
  assert.equal(listed?.address, "127.0.0.1");
  const inode = (await listeningSockets()).find((one) => one.port === port)?.inode ?? "";
  assert.deepEqual(socketsOf(process.pid, new Set([inode])), [inode]);
  assert.match(await nameOf(process.pid), /^node\b/);
  const opened = () => events.find(({ data }) => "port" in data && data.port === port);
  while (opened() === undefined) await once(told, "told");
  assert.equal(opened()?.type, "port.opened");
});

test("ports of Sealwork itself are left out", async (t) => {
  const server = createServer();
  t.after(() => server.close());
  // Where another test listens there already that one is left out.
  const taken = once(server, "error");
  server.listen(EGRESS_PORT, "127.0.0.1");
  await Promise.race([once(server, "listening"), taken]);
  assert.equal(
    (await listeningPorts()).find(({ port }) => port === EGRESS_PORT),
    undefined,
  );
});
