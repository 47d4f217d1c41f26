import assert from "node:assert/strict";
import { test } from "node:test";
import type { EventBody } from "../../../../src/contract/event.ts";
import type { StoryEvent } from "../events/job-events.ts";
import { storyOf } from "./story.ts";
import { countOf, lastUntil } from "./times.ts";

type StoryBody = Exclude<EventBody, { type: "step.output" }>;
const START = Date.parse("2026-03-01T10:00:00.000Z");

function eventAt(ms: number, seq: number, body: StoryBody): StoryEvent {
  return { ...body, seq, cursor: seq, job_id: "j", at: new Date(START + ms).toISOString() };
}

const started = (step: number): StoryBody => ({
  type: "step.started",
  data: { step, tool: "shell", title: `step ${step}`, code: "", code_blob: null },
});
const ended = (step: number, ok: boolean): StoryBody => ({
  type: "step.ended",
  data: { step, cause: "exited", exit_code: ok ? 0 : 1, signal: null, message: null, duration_ms: 9, ok },
});
const called = (tokens: number, cost_usd: number | null): StoryBody => ({
  type: "model.called",
  data: {
    provider: "p",
    model: "m",
    outcome: "ok",
    http_status: 200,
    attempts: 1,
    input_tokens: tokens,
    cached_tokens: 0,
    output_tokens: 1,
    estimated: false,
    cost_usd,
    duration_ms: 1,
  },
});
const sampled: StoryBody = {
  type: "metrics.sampled",
  data: { cpu_ms: 1, memory_bytes: 2, memory_peak_bytes: 3, disk_bytes: null, pids: 4 },
};

test("what was spent adds up, and what was true at a moment is found", () => {
  const { spent } = storyOf([
    eventAt(0, 1, called(99, 0.5)),
    eventAt(1_000, 2, called(9, null)),
    eventAt(2_000, 3, called(9, 0.25)),
  ]);
  assert.equal(lastUntil(spent, START - 1), null);
  assert.deepEqual(lastUntil(spent, START + 1_500), {
    at: START + 1_000,
    calls: 2,
    tokens: 110,
    cost_usd: 0.5,
  });
  assert.equal(lastUntil(spent, START + 2_000)?.cost_usd, 0.75);
  assert.equal(countOf(spent, START + 1_999), 2);
});

test("a step knows its end, one that failed is marked, and samples are nothing that happens", () => {
  const { steps, marks, moments, samples } = storyOf([
    eventAt(0, 1, started(1)),
    eventAt(10, 2, sampled),
    eventAt(20, 3, ended(1, false)),
    eventAt(30, 4, started(2)),
  ]);
  assert.deepEqual(
    steps.map(({ number, ended }) => ({ number, at: ended?.at ?? null })),
    [
      { number: 1, at: START + 20 },
      { number: 2, at: null },
    ],
  );
  assert.deepEqual(marks, [{ at: START + 20, kind: "failure", text: "Step 1 failed", step: 1 }]);
  assert.deepEqual(moments, [START, START + 20, START + 30]);
  assert.equal(samples.length, 1);
});

test("events that come later are added, earlier ones make it anew, and a clock that was set back sets back nothing", () => {
  const events = [eventAt(5_000, 5, started(1)), eventAt(4_000, 6, ended(1, true))];
  const first = storyOf(events);
  assert.equal(first.steps[0]?.ended?.at, START + 5_000);
  const longer = [...events, eventAt(6_000, 7, started(2))];
  const second = storyOf(longer);
  assert.notEqual(second, first);
  assert.deepEqual(second.moments, [START + 5_000, START + 5_000, START + 6_000]);
  assert.equal(storyOf(longer), second, "the same events are the same story");
  const whole = storyOf([eventAt(0, 1, called(1, 1)), ...longer]);
  assert.equal(whole.from, START);
  assert.equal(whole.steps.length, 2);
});
