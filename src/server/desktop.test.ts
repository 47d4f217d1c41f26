import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import WebSocket from "ws";
import { DesktopView } from "../contract/desktop-api.ts";
import { AppError } from "../contract/errors.ts";
import { DesktopWorld } from "./surfaces/desktop/desktop-fixture.ts";
import {
  cutText,
  HANDSHAKE,
  key,
  pointer,
  SHARED_HANDSHAKE,
  updateRequest,
} from "./surfaces/desktop/rfb-client-messages.fake.ts";
import { startServer, type TestServer } from "./test-server.fake.ts";

const A = 0x61;
const LOOK = updateRequest({ width: 100, height: 100, incremental: true });
const anna = "viewer=anna-0001&name=Anna";
const ben = "viewer=ben-00001&name=Ben";

test("many look, and only the one who drives types; whoever loses the desktop leaves nothing held down", async () => {
  await using open = await desktopServer();
  const { world, socket, post } = open;
  const one = await socket(anna);
  const two = await socket(ben);
  for (const each of [one, two]) each.send(Buffer.concat([HANDSHAKE, key(A, true), LOOK]));
  const begun = Buffer.concat([SHARED_HANDSHAKE, LOOK]);
  for (const n of [0, 1]) assert.deepEqual(await world.heard(n, begun.length), begun);
  assert.equal(world.touches, 0, "who looks is not at work");

  const taken = await post("control", { viewer: "anna-0001", take: true });
  assert.deepEqual([taken.status, taken.view?.held_by], [200, "Anna"]);
  const held = Buffer.concat([key(A, true), pointer(1, 5, 6)]);
  for (const each of [one, two]) each.send(Buffer.concat([held, LOOK]));
  assert.deepEqual(
    await world.heard(0, begun.length + held.length + LOOK.length),
    Buffer.concat([begun, held, LOOK]),
  );
  assert.deepEqual(await world.heard(1, begun.length + LOOK.length), Buffer.concat([begun, LOOK]));
  assert.ok(world.touches >= 2);

  const refused = await post("control", { viewer: "ben-00001", take: true });
  assert.deepEqual([refused.status, refused.error], [409, "Anna drives the desktop of job the-job."]);
  assert.equal(
    (await post("control", { viewer: "ben-00001", take: true, force: true })).view?.held_by,
    "Ben",
  );
  const released = Buffer.concat([key(A, false), pointer(0, 5, 6)]);
  const all = Buffer.concat([begun, held, LOOK, released]);
  assert.deepEqual(await world.heard(0, all.length), all);
  assert.equal((await post("control", { viewer: "ben-00001", take: false })).view?.held_by, null);
  assert.deepEqual(
    world.events.map(({ data }) => data),
    [
      { held_by: "Anna", cause: "taken" },
      { held_by: "Ben", cause: "taken" },
      { held_by: null, cause: "given_back" },
    ],
  );
});

test("what the desktop says comes to each viewer, byte for byte", async () => {
  await using open = await desktopServer();
  const viewer = await open.socket("");
  const said = Buffer.from(Array.from({ length: 100_000 }, (_, n) => n % 251));
  open.world.opened[0]?.write(said);
  const got: Buffer[] = [];
  viewer.on("message", (data: Buffer) => got.push(data));
  while (Buffer.concat(got).length < said.length) await once(viewer, "message");
  assert.deepEqual(Buffer.concat(got), said);
  assert.equal((await open.view()).viewers[0]?.name, "Somebody");
  viewer.close();
  await open.world.closed(0);
  assert.deepEqual((await open.view()).viewers, []);
});

test("a viewer that does not read holds up itself and nobody else", async () => {
  await using open = await desktopServer();
  const slow = await open.socket(anna);
  const quick = await open.socket(ben);
  slow.pause();
  const [to_slow, to_quick] = open.world.opened;
  assert.ok(to_slow !== undefined && to_quick !== undefined);
  const frame = Buffer.alloc(64 * 1024);
  let frames = 0;
  while (to_slow.write(frame) && frames < 10_000) frames += 1;
  // What its connection buffers is taken yet; then the desktop's end stays full, however long one waits.
  for (let round = 0; round < 200; round++) {
    while (!to_slow.writableNeedDrain && frames < 10_000) {
      to_slow.write(frame);
      frames += 1;
    }
    to_quick.write(Buffer.from([round]));
    await once(quick, "message");
  }
  assert.ok(to_slow.writableNeedDrain, `it took ${frames} frames`);
  assert.ok(frames < 1_000, `${frames} frames wait for a viewer that does not read`);
  slow.resume();
  slow.terminate();
});

test("a viewer can ask to drive at once, and is refused before the handshake when it cannot", async () => {
  await using open = await desktopServer();
  const one = await open.socket(`${anna}&control=take`);
  assert.deepEqual((await open.view()).held_by, "Anna");
  assert.match(await open.refusal(`${ben}&control=take`), /^409 .*Anna drives the desktop/);
  assert.equal((await open.view()).viewers.length, 1, "who was refused does not look");
  assert.ok(open.world.opened[1]?.destroyed, "and its connection to the desktop is closed");
  const two = await open.socket(`${ben}&control=force`);
  assert.deepEqual((await open.view()).held_by, "Ben");
  for (const each of [one, two]) each.close();
  assert.match(await open.refusal("viewer=short"), /^422 /);
  assert.match(await open.refusal("viewer=anna-0001&name=%1b%5b2J"), /^422 /);
  assert.match(await open.refusal("control=please"), /^422 /);
  open.world.refusal = new AppError({ code: "conflict", message: "The template `desktop` has one." });
  assert.match(await open.refusal(anna), /^409 .*template `desktop`/);
});

test("the clipboard is switched for the whole job, for who is connected already too", async () => {
  await using open = await desktopServer();
  const { world, post } = open;
  const one = await open.socket(`${anna}&control=take`);
  assert.equal((await post("clipboard", { enabled: false })).view?.clipboard, false);
  assert.equal(world.told.at(-1)?.clipboard, false);
  one.send(Buffer.concat([HANDSHAKE, cutText("secret"), LOOK]));
  const without = Buffer.concat([SHARED_HANDSHAKE, LOOK]);
  assert.deepEqual(await world.heard(0, without.length), without);
  await post("clipboard", { enabled: true });
  one.send(cutText("public"));
  assert.deepEqual((await world.heard(0, without.length + 14)).subarray(without.length), cutText("public"));
});

test("who breaks the protocol is told so and closed, and the desktop hears no more of it", async () => {
  await using open = await desktopServer();
  const wrong = await open.socket(anna);
  wrong.send(Buffer.concat([HANDSHAKE, Buffer.from([99]), key(A, true)]));
  const [code, reason] = await once(wrong, "close");
  assert.deepEqual(
    [code, String(reason)],
    [4003, "The VNC client was cut off: it sent what this desktop does not take (a message of type 99)."],
  );
  await open.world.closed(0);
  const text = await open.socket(anna);
  text.send("hello");
  assert.equal((await once(text, "close"))[0], 4003);
});

test("a desktop that ends, a job that ends and a server that stops are told apart", async () => {
  await using open = await desktopServer();
  const one = await open.socket(anna);
  open.world.opened[0]?.end();
  assert.equal((await once(one, "close"))[0], 1000);
  const two = await open.socket(anna);
  open.world.endJob();
  const [code, reason] = await once(two, "close");
  assert.equal(code, 4001);
  assert.match(String(reason), /has ended, and its sandbox with it/);
  await using other = await desktopServer();
  const three = await other.socket(anna);
  const closed = once(three, "close");
  await other.server[Symbol.asyncDispose]();
  assert.equal((await closed)[0], 1012);
});

test("older clients may name the subprotocol `binary`", async () => {
  await using open = await desktopServer();
  const one = await open.socket(anna, ["binary"]);
  assert.equal(one.protocol, "binary");
});

test("a picture of the screen is a PNG that no browser takes for anything else", async () => {
  await using open = await desktopServer();
  open.server.orchestrator.screen = async () => ({
    size_bytes: 3,
    content: (await import("node:stream")).Readable.from([Buffer.from("png")]),
  });
  const answer = await fetch(`${open.url}/jobs/${open.job_id}/screen.png`);
  assert.deepEqual([answer.status, await answer.text()], [200, "png"]);
  const headers = ["content-type", "cache-control", "x-content-type-options", "content-security-policy"];
  assert.deepEqual(
    headers.map((name) => answer.headers.get(name)),
    ["image/png", "no-store", "nosniff", "sandbox; default-src 'none'"],
  );
});

/** A server whose jobs all have one desktop. */
async function desktopServer() {
  const server: TestServer = await startServer();
  const { job_id } = server.orchestrator.add("running");
  const world = new DesktopWorld();
  server.orchestrator.live = world.surfaces;
  const base = `${server.url}/jobs/${job_id}/desktop`;
  const sockets: WebSocket[] = [];
  const dial = (query: string, protocols: string[] = []): WebSocket => {
    const socket = new WebSocket(`${base.replace("http", "ws")}?${query}`, protocols);
    sockets.push(socket);
    socket.on("error", () => undefined);
    return socket;
  };
  return {
    server,
    world,
    job_id,
    url: server.url,
    socket: async (query: string, protocols?: string[]) => {
      const socket = dial(query, protocols);
      await once(socket, "open");
      return socket;
    },
    refusal: async (query: string) => {
      const socket = dial(query);
      const [, answer] = await once(socket, "unexpected-response");
      const text = `${answer.statusCode} ${String(Buffer.concat(await answer.toArray()))}`;
      socket.terminate();
      return text;
    },
    view: async () => DesktopView.parse(await (await fetch(base)).json()),
    post: async (path: string, body: object) => {
      const headers = { "content-type": "application/json" };
      const answer = await fetch(`${base}/${path}`, { method: "POST", headers, body: JSON.stringify(body) });
      const json = (await answer.json()) as { error?: { message: string } };
      const error = json.error?.message ?? null;
      return { status: answer.status, view: error === null ? DesktopView.parse(json) : null, error };
    },
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.terminate();
      await server[Symbol.asyncDispose]();
    },
  };
}
