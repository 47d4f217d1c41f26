import assert from "node:assert/strict";
import { test } from "node:test";
import { clockText } from "./clock-text.ts";
import { PlayTime } from "./play-time.ts";
import { type Story, storyOf } from "./story.ts";
import { COLUMNS, drawTrack, seenAt } from "./track-picture.ts";

const EMPTY: Story = storyOf([]);
const bars = (path: string): number => path.split("M").length - 1;

function storyWith(change: Partial<Story>): Story {
  return { ...EMPTY, ...change };
}

test("however much happened, a track has one bar for each column at most", () => {
  const moments = Array.from({ length: 100_000 }, (_, index) => index * 10);
  const steps = moments.map((at, index) => ({
    number: index + 1,
    tool: "shell" as const,
    title: "",
    at,
    seq: 1,
    ended: null,
  }));
  const marks = moments.map((at) => ({ at, kind: "capture" as const, text: "", step: null }));
  const time = PlayTime.of(moments, 1_000_000, { skip_idle: true });
  const picture = drawTrack(storyWith({ moments, steps, marks, to: 1_000_000 }), 0, time);
  assert.equal(bars(picture.density), COLUMNS);
  assert.equal(bars(picture.marks.capture), COLUMNS);
  assert.ok(bars(picture.steps) <= 2 * COLUMNS);
});

test("what failed stands before what else is in its column", () => {
  const marks = (["capture", "failure", "message"] as const).map((kind) => ({
    at: 500,
    kind,
    text: "",
    step: null,
  }));
  const picture = drawTrack(storyWith({ marks, to: 1_000 }), 0, PlayTime.of([], 1_000, { skip_idle: true }));
  assert.equal(bars(picture.marks.failure), 1);
  assert.equal(bars(picture.marks.capture) + bars(picture.marks.message), 0);
});

test("a job of no length is drawn without a number that is none", () => {
  const picture = drawTrack(storyWith({ moments: [0], to: 0 }), 0, PlayTime.of([0], 0, { skip_idle: true }));
  assert.doesNotMatch(JSON.stringify(picture), /NaN|Infinity/);
});

test("around a moment the step is told that ran then, and a few of the marks", () => {
  const ended = {
    at: 200,
    seq: 2,
    data: { step: 1, cause: "exited", exit_code: 0, signal: null, message: null, duration_ms: 1, ok: true },
  } as const;
  const steps = [{ number: 1, tool: "shell" as const, title: "one", at: 100, seq: 1, ended }];
  const marks = Array.from({ length: 9 }, (_, index) => ({
    at: 140 + index,
    kind: "message" as const,
    text: `${index}`,
    step: null,
  }));
  const story = storyWith({ steps, marks });
  const seen = seenAt(story, 150, 50);
  assert.equal(seen.step?.number, 1);
  assert.equal(seen.marks.length, 3);
  assert.equal(seen.more, 6);
  assert.deepEqual(seenAt(story, 300, 50), { step: null, marks: [], more: 0 });
});

test("places are written as clocks write them", () => {
  assert.equal(clockText(3_456, 10_000), "0:03.4");
  assert.equal(clockText(62_000, 90_000), "1:02");
  assert.equal(clockText(3_725_000, 4_000_000), "1:02:05");
  assert.equal(clockText(-5, 90_000), "0:00");
});
