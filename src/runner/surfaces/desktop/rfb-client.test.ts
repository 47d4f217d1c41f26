import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { RfbClient } from "./rfb-client.ts";
import { painted, rfbServer } from "./rfb-server.fake.ts";

const { signal: NEVER } = new AbortController();
let folder: string;
let count = 0;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), "sealwork-rfb-"));
});
after(() => rm(folder, { recursive: true, force: true }));

const path = (): string => join(folder, `${++count}`);

async function pair(size = { width: 4, height: 2 }) {
  const at = path();
  const server = await rfbServer(at, size);
  const client = await RfbClient.connect(at, NEVER);
  const red = (): number[] => [...client.picture.pixels].filter((_, n) => n % 4 === 0);
  return {
    server,
    client,
    red,
    async [Symbol.asyncDispose]() {
      client[Symbol.dispose]();
      await server[Symbol.asyncDispose]();
    },
  };
}

test("the whole screen is asked for at first, then only what changes, and nothing while nobody waits", async () => {
  await using place = await pair();
  const { server, client, red } = place;
  const first = server.asked();
  const refreshed = client.refresh(NEVER);
  assert.deepEqual(await first, { incremental: false });
  server.update(painted({ x: 0, y: 0, width: 4, height: 2 }, 5));
  await refreshed;
  assert.deepEqual(red(), [5, 5, 5, 5, 5, 5, 5, 5]);
  const next = server.asked();
  const changed = client.changedSince(client.updates, NEVER);
  assert.deepEqual(await next, { incremental: true });
  server.update(painted({ x: 1, y: 0, width: 2, height: 1 }, 9), {
    x: 0,
    y: 1,
    width: 2,
    height: 1,
    encoding: 1,
    content: Buffer.from([0, 1, 0, 0]),
  });
  await changed;
  assert.deepEqual(red(), [5, 9, 9, 5, 9, 9, 5, 5]);
});

test("a screen that changes its size is followed, and asked for again", async () => {
  await using place = await pair();
  const { server, client, red } = place;
  const changed = client.changedSince(client.updates, NEVER);
  await server.asked();
  const again = server.asked();
  server.update({ x: 0, y: 0, width: 2, height: 1, encoding: -223, content: Buffer.alloc(0) });
  await again;
  server.update(painted({ x: 0, y: 0, width: 2, height: 1 }, 3));
  await changed;
  assert.deepEqual([client.picture.width, client.picture.height, red()], [2, 1, [3, 3]]);
});

test("an update ends with its last rectangle, also an empty one and one that did not say how many it has", async () => {
  await using place = await pair();
  const { server, client, red } = place;
  const last = Buffer.from([0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0x20]);
  const refreshed = client.refresh(NEVER);
  await server.asked();
  const again = server.asked();
  const uncounted = Buffer.from([0, 0, 0xff, 0xff]);
  server.send(Buffer.concat([uncounted, last]));
  await again;
  const pixels = Buffer.alloc(4 * 2 * 4, 7);
  server.send(Buffer.concat([uncounted, Buffer.from([0, 0, 0, 0, 0, 4, 0, 2, 0, 0, 0, 0]), pixels, last]));
  await refreshed;
  assert.deepEqual(red(), [7, 7, 7, 7, 7, 7, 7, 7]);
  const changed = client.changedSince(client.updates, NEVER);
  await server.asked();
  server.update(painted({ x: 0, y: 0, width: 4, height: 2 }, 8));
  await changed;
  assert.deepEqual(red(), [8, 8, 8, 8, 8, 8, 8, 8]);
});

test("keys and the pointer arrive in their order; what the server tells of sounds and its clipboard is passed over", async () => {
  await using place = await pair();
  const { server, client } = place;
  server.send(Buffer.from([2, 3, 0, 0, 0, 0, 0, 0, 2, 65, 66, 1, 0, 0, 0, 0, 1, 0, 1, 0, 2, 0, 3]));
  client.key(0x61, true);
  client.key(0x61, false);
  client.pointer(3, 1, 4);
  const refreshed = client.refresh(NEVER);
  await server.asked();
  server.update(painted({ x: 0, y: 0, width: 4, height: 2 }, 1));
  await refreshed;
  assert.deepEqual(server.input, ["key 97 down", "key 97 up", "pointer 3 1 4"]);
});

test("a server that breaks the rules is left", async () => {
  const wrong: [Parameters<Awaited<ReturnType<typeof rfbServer>>["update"]>[0], RegExp][] = [
    [painted({ x: 3, y: 0, width: 2, height: 1 }, 1), /outside of its screen/],
    [{ x: 0, y: 0, width: 1, height: 1, encoding: 1, content: Buffer.from([0, 4, 0, 0]) }, /outside of/],
    [{ x: 0, y: 0, width: 1, height: 1, encoding: 7, content: Buffer.alloc(0) }, /encoding 7/],
    [{ x: 0, y: 0, width: 9000, height: 9000, encoding: -223, content: Buffer.alloc(0) }, /too large/],
  ];
  for (const [rectangle, message] of wrong) {
    await using place = await pair();
    const refreshed = place.client.refresh(NEVER);
    await place.server.asked();
    place.server.update(rectangle);
    await assert.rejects(refreshed, message);
    assert.equal(place.client.closed, true);
    await assert.rejects(place.client.changedSince(0, NEVER), message);
  }
  await using place = await pair();
  place.server.send(Buffer.from([77]));
  await assert.rejects(place.client.changedSince(0, NEVER), /unknown type 77/);
});

test("what is no server of a screen is told so, and one that goes away fails whoever waits", async () => {
  for (const options of [
    { version: "SSH-2.0-nope" },
    { security: [2] },
    { width: 0 },
    { height: 60_000, width: 60_000 },
  ]) {
    const at = path();
    await using _server = await rfbServer(at, { width: 4, height: 2, ...options });
    await assert.rejects(RfbClient.connect(at, NEVER));
  }
  await assert.rejects(RfbClient.connect(path(), NEVER), /ENOENT/);
  await using place = await pair();
  const waiting = place.client.changedSince(0, NEVER);
  place.server.drop();
  await assert.rejects(waiting, /closed/);
});

test("whoever waits can give up", async () => {
  await using place = await pair();
  const patience = new AbortController();
  const waiting = place.client.changedSince(0, patience.signal);
  patience.abort(new Error("enough"));
  await assert.rejects(waiting, /enough/);
});
