import assert from "node:assert/strict";
import { test } from "node:test";
import type { StoryEvent } from "../events/job-events.ts";
import { ReplayClock } from "./replay-clock.ts";
import { toStep } from "./replay-keys.ts";
import { storyOf } from "./story.ts";

const START = Date.parse("2026-03-01T10:00:00.000Z");
const LENGTH_MS = 9_000;

function startedAt(ms: number, step: number): StoryEvent {
  const at = new Date(START + ms).toISOString();
  const data = { step, tool: "shell" as const, title: `step ${step}`, code: "", code_blob: null };
  return { type: "step.started", data, seq: step, cursor: step, job_id: "j", at };
}

function toldOf(events: StoryEvent[], complete: boolean) {
  const clock = new ReplayClock(() => () => undefined);
  const story = storyOf(events);
  clock.setMoments(
    story.moments.map((at) => at - START),
    LENGTH_MS,
  );
  return { clock, told: { story, from: START, complete } };
}

test("from step to step, and to both ends", () => {
  const { clock, told } = toldOf([startedAt(1_000, 1), startedAt(3_000, 2)], true);
  clock.seek(0);
  const forth = [1, 1, 1].map((direction) => {
    toStep(clock, told, direction as 1);
    return clock.state.at;
  });
  assert.deepEqual(forth, [1_000, 3_000, LENGTH_MS]);
  const back = [-1, -1, -1].map((direction) => {
    toStep(clock, told, direction as -1);
    return clock.state.at;
  });
  assert.deepEqual(back, [3_000, 1_000, 0]);
});

test("while the steps there are still being loaded it stays where it is", () => {
  const { clock, told } = toldOf([startedAt(1_000, 1)], false);
  clock.seek(0);
  toStep(clock, told, 1);
  assert.equal(clock.state.at, 1_000);
  toStep(clock, told, 1);
  assert.equal(clock.state.at, 1_000, "the second step is not known yet");
  clock.seek(null);
  toStep(clock, told, -1);
  assert.equal(clock.state.at, null, "nor is the last one");
});
