import assert from "node:assert/strict";
import { test } from "node:test";
import { IDLE_PLAYED_MS, PlayTime } from "./play-time.ts";

const MOMENTS = [0, 500, 1_500, 61_500, 62_000];

test("an idle part is played in a second, and what lies around it as it was", () => {
  const time = PlayTime.of(MOMENTS, 63_000, { skip_idle: true });
  assert.equal(time.play_ms, 1_500 + IDLE_PLAYED_MS + 1_500);
  assert.equal(time.toPlay(500), 500);
  assert.equal(time.toPlay(1_500), 1_500);
  assert.equal(time.toPlay(31_500), 2_000, "half of the idle part is half of its second");
  assert.equal(time.toPlay(61_500), 2_500);
  assert.equal(time.toPlay(62_000), 3_000);
  assert.deepEqual(time.shortened, [{ at: 1_500, to: 2_500 }]);
});

test("real time to play time and back is the same moment", () => {
  for (const skip_idle of [true, false]) {
    const time = PlayTime.of(MOMENTS, 63_000, { skip_idle });
    for (let real = 0; real <= 63_000; real += 700)
      assert.ok(Math.abs(time.toReal(time.toPlay(real)) - real) < 0.001, `${real} with ${skip_idle}`);
  }
});

test("without skipping, play time is real time", () => {
  const time = PlayTime.of(MOMENTS, 63_000, { skip_idle: false });
  assert.equal(time.play_ms, 63_000);
  assert.equal(time.toReal(40_000), 40_000);
  assert.deepEqual(time.shortened, []);
});

test("what lies outside of the job is its start or its end", () => {
  for (const skip_idle of [true, false]) {
    const time = PlayTime.of([-5, 10, 90_000], 1_000, { skip_idle });
    assert.equal(time.toPlay(-100), 0);
    assert.equal(time.toPlay(5_000), 1_000);
    assert.equal(time.toReal(-1), 0);
    assert.equal(time.toReal(99_999), 1_000);
  }
});

test("an idle begin and an idle end are shortened too, and a job of no length has one moment", () => {
  const time = PlayTime.of([10_000], 20_000, { skip_idle: true });
  assert.equal(time.play_ms, 2 * IDLE_PLAYED_MS);
  assert.equal(time.toReal(IDLE_PLAYED_MS), 10_000);
  const none = PlayTime.of([], 0, { skip_idle: true });
  assert.equal(none.play_ms, 0);
  assert.equal(none.toReal(5), 0);
  assert.equal(none.toPlay(5), 0);
});

test("as many idle parts as there can be are each found again", () => {
  const moments = Array.from({ length: 100_000 }, (_, index) => index * 3_000);
  const time = PlayTime.of(moments, 3_000 * 100_000, { skip_idle: true });
  assert.equal(time.play_ms, 100_000 * IDLE_PLAYED_MS);
  for (const index of [1, 777, 50_000, 99_999])
    assert.equal(time.toReal(index * IDLE_PLAYED_MS), index * 3_000);
});
