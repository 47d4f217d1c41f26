import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { RUNNER_EVENTS, type RunnerEventBody } from "../../../contract/event.ts";
import { Blobs } from "../../blobs.ts";
import { Captures, WATCHED_FIRST_MS, WATCHED_PER_PACE } from "./captures.ts";
import { painted, rfbServer } from "./rfb-server.fake.ts";
import { Screen } from "./screen.ts";

const ALL = { x: 0, y: 0, width: 2, height: 2 };
let folder: string;
let count = 0;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), "sealwork-captures-"));
});
after(() => rm(folder, { recursive: true, force: true }));

/** A screen whose picture and time the test decides. */
async function place() {
  const at = join(folder, `${++count}`);
  const server = await rfbServer(at, { width: 2, height: 2 });
  const screen = new Screen({ socket_path: at, use: async () => ({ [Symbol.dispose]: () => undefined }) });
  const events: RunnerEventBody[] = [];
  const heard = new EventTarget();
  const waits: { ms: number; pass(): void }[] = [];
  const captures = new Captures({
    screen,
    blobs: new Blobs({ folder: join(folder, `blobs-${count}`) }),
    async emit(body) {
      assert.ok(RUNNER_EVENTS[body.type].safeParse(body.data).success, JSON.stringify(body));
      events.push(body);
    },
    running: () => true,
    wait: (ms, signal) =>
      new Promise((resolve, reject) => {
        signal.addEventListener("abort", () => reject(signal.reason), { once: true });
        waits.push({ ms, pass: resolve });
        heard.dispatchEvent(new Event("wait"));
      }),
  });
  return {
    captures,
    server,
    blobs: () => events.map((event) => (event.type === "screen.captured" ? event.data.blob : event.type)),
    events,
    async wait() {
      while (waits.length === 0)
        await new Promise((resolve) => heard.addEventListener("wait", resolve, { once: true }));
      const next = waits.shift();
      assert.ok(next !== undefined);
      return next;
    },
    async [Symbol.asyncDispose]() {
      await captures[Symbol.asyncDispose]();
      screen[Symbol.dispose]();
      await server[Symbol.asyncDispose]();
    },
  };
}

test("while somebody watches, the screen is captured when it has changed, once in a second at most", async () => {
  await using at = await place();
  const { captures, server } = at;
  captures.watch(true);
  let asked = server.asked();
  for (const red of [1, 2, 2, 1]) {
    await asked;
    asked = server.asked();
    server.update(painted(ALL, red));
    const pause = await at.wait();
    assert.equal(pause.ms, WATCHED_FIRST_MS);
    pause.pass();
  }
  const [one, two, again, ...more] = at.blobs();
  assert.deepEqual([one === again, one === two, more], [true, false, []]);
  captures.watch(false);
  await captures[Symbol.asyncDispose]();
  assert.equal(at.events.length, 3);
});

test("a step's capture says which step it was, also when the screen is as it was", async () => {
  await using at = await place();
  const picture = { width: 1, height: 1, pixels: Buffer.alloc(4) };
  await at.captures.ofStep(picture, 3);
  await at.captures.ofStep(picture, 4);
  assert.deepEqual(
    at.events.map((event) => event.type === "screen.captured" && [event.data.step, event.data.width]),
    [
      [3, 1],
      [4, 1],
    ],
  );
  assert.equal(new Set(at.blobs()).size, 1);
});

test("what is watched for long is captured less and less often", async () => {
  await using at = await place();
  const { captures, server } = at;
  captures.watch(true);
  let asked = server.asked();
  const paces: number[] = [];
  for (let n = 1; n <= WATCHED_PER_PACE; n++) {
    await asked;
    asked = server.asked();
    server.update(painted(ALL, n % 250));
    const pause = await at.wait();
    paces.push(pause.ms);
    pause.pass();
  }
  assert.equal(paces.at(-1), WATCHED_FIRST_MS * 2);
  assert.deepEqual(new Set(paces.slice(0, -1)), new Set([WATCHED_FIRST_MS]));
});
