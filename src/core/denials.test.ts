import assert from "node:assert/strict";
import { test } from "node:test";
import { Denials } from "./denials.ts";

const denial = { host: "a.test", port: 443, rule: "policy" as const, message: "Not listed." };

/** A job in which each sleep passes at once. `told` are the counts of its events. */
function flooded(during: (denials: Denials, end: () => void) => void) {
  const told: number[] = [];
  const ended = new AbortController();
  let now_ms = 0;
  const end = () => ended.abort();
  const denials: Denials = new Denials({
    store: async ({ count }) => void told.push(count),
    clock: {
      now: () => new Date(now_ms).toISOString(),
      sleep: async (ms) => {
        now_ms += ms;
        during(denials, end);
      },
    },
    ended: ended.signal,
  });
  return { denials, told, passed_ms: () => now_ms };
}

test("who tries the same for hours makes a handful of events in each of them", async () => {
  let left = 40;
  const world = flooded((denials, end) => {
    for (let i = 0; i < 10; i += 1) denials.add(denial);
    left -= 1;
    if (left === 0) end();
  });
  world.denials.add(denial);
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(world.told.length, 41);
  assert.equal(
    world.told.reduce((sum, count) => sum + count),
    401,
  );
  assert.ok(world.passed_ms() > 5 * 3600_000, `${world.passed_ms()}`);
});

test("what is refused while the job ends makes no events", async () => {
  const world = flooded((denials, end) => {
    denials.add(denial);
    end();
    for (let i = 0; i < 10; i += 1) denials.add(denial);
  });
  world.denials.add(denial);
  await new Promise((resolve) => setImmediate(resolve));
  world.denials.add({ ...denial, host: "b.test" });
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(world.told, [1, 1]);
});
