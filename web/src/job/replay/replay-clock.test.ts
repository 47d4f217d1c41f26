import assert from "node:assert/strict";
import { test } from "node:test";
import { ReplayClock } from "./replay-clock.ts";

/** Frames that come when the test says so. */
function framesByHand() {
  let now = 0;
  let next: ((now: number) => void) | null = null;
  return {
    frames: (callback: (now: number) => void) => {
      next = callback;
      return () => {
        next = null;
      };
    },
    get waiting() {
      return next !== null;
    },
    pass(ms: number, times = 1) {
      for (let count = 0; count < times; count += 1) {
        now += ms;
        const callback = next;
        next = null;
        callback?.(now);
      }
    },
  };
}

function clockOf(moments: number[], real_ms: number) {
  const hand = framesByHand();
  const clock = new ReplayClock(hand.frames);
  clock.setMoments(moments, real_ms);
  return { clock, hand };
}

test("playing begins at the start, goes on at the chosen speed, and stops at the end", () => {
  const { clock, hand } = clockOf([0, 500, 1_000, 1_500], 2_000);
  assert.equal(clock.state.at, null);
  clock.play();
  assert.equal(clock.state.at, 0);
  hand.pass(20);
  hand.pass(100);
  assert.equal(clock.state.at, 100);
  clock.setSpeed(16);
  hand.pass(50);
  assert.equal(clock.state.at, 900);
  hand.pass(100);
  assert.equal(clock.state.at, 2_000);
  assert.equal(clock.state.playing, false);
  assert.equal(hand.waiting, false, "nothing is asked for once it has ended");
  clock.play();
  assert.equal(clock.state.at, 0, "played again it begins anew");
});

test("an idle hour is played within a second, unless it is not to be skipped", () => {
  const { clock, hand } = clockOf([0, 3_600_000], 3_600_000);
  clock.play();
  hand.pass(10);
  hand.pass(100, 5);
  assert.equal(clock.state.at, 1_800_000);
  clock.setSkipIdle(false);
  assert.equal(clock.state.at, 1_800_000, "the moment stays where it was");
  hand.pass(100);
  assert.equal(Math.round(clock.state.at ?? 0), 1_800_100);
});

test("seeking keeps within the job, and now is no moment", () => {
  const { clock, hand } = clockOf([0, 900], 1_000);
  clock.seek(5_000);
  assert.equal(clock.state.at, 1_000);
  clock.seek(-1);
  assert.equal(clock.state.at, 0);
  clock.play();
  clock.seek(null);
  assert.deepEqual(
    { ...clock.state, waiting: hand.waiting },
    { at: null, playing: false, speed: 1, skip_idle: true, waiting: false },
  );
  clock.move(-400);
  assert.equal(clock.state.at, 600, "back from now is back from the end");
  clock.move(-4_000);
  assert.equal(clock.state.at, 0);
});

test("a tab that was hidden goes on where it was", () => {
  const { clock, hand } = clockOf([0, 1_000, 2_000, 3_000, 4_000], 5_000);
  clock.play();
  hand.pass(10);
  hand.pass(60_000);
  assert.equal(clock.state.at, 250);
});

test("a job without a moment cannot be played", () => {
  const { clock, hand } = clockOf([], 0);
  clock.play();
  assert.equal(clock.state.playing, false);
  assert.equal(hand.waiting, false);
});
