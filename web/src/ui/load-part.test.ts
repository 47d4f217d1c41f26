import assert from "node:assert/strict";
import { test } from "node:test";
import { loadPart } from "./load-part.ts";

/** Loads that go so, one after the other, with a server that answers so. */
async function loading(loads: readonly boolean[], server: readonly boolean[]) {
  const [left, answers] = [[...loads], [...server]];
  const waits: number[] = [];
  const part = await loadPart(
    async () => {
      if (left.shift() === true) return "part";
      throw new TypeError("Failed to fetch dynamically imported module");
    },
    {
      answers: async () => answers.shift() ?? false,
      wait: async (ms: number) => void waits.push(ms),
    },
  ).catch((error: unknown) => error);
  return { part, waits, left };
}

test("a part that is there is loaded once", async () => {
  assert.deepEqual(await loading([true], []), { part: "part", waits: [], left: [] });
});

test("while the server is away it is tried again, ever more seldom, and comes with it", async () => {
  const loads = [false, false, false, false, false, false, false, true];
  const { part, waits } = await loading(loads, []);
  assert.equal(part, "part");
  assert.deepEqual(waits, [250, 500, 1000, 2000, 4000, 4000, 4000]);
});

test("a server on its way out or in, which answers for a moment, is no reason to give up", async () => {
  const loads = [false, false, false, false, false, true];
  const { part, waits } = await loading(loads, [true, true, false, false, true]);
  assert.equal(part, "part");
  assert.deepEqual(waits, [250, 500, 1000, 2000, 250]);
});

test("what a server that answers does not have fails", async () => {
  const { part, waits, left } = await loading(Array(10).fill(false), Array(10).fill(true));
  assert.ok(part instanceof TypeError);
  assert.deepEqual(waits, [250, 500, 1000, 2000]);
  assert.equal(left.length, 5, "not tried for ever");
});

test("a server that stays away is not waited for without end", async () => {
  const { part, left } = await loading(Array(460).fill(false), []);
  assert.ok(part instanceof TypeError);
  assert.equal(left.length, 10);
});
