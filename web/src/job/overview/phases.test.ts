import assert from "node:assert/strict";
import { test } from "node:test";
import type { Phase, Timings } from "../../../../src/contract/job.ts";
import { type Story, storyOf } from "../replay/story.ts";
import { coarsePhasesOf, phasesOf } from "./phases.ts";

const START = Date.parse("2026-03-01T10:00:00.000Z");
const TIMINGS: Timings = {
  scheduled_at: new Date(START).toISOString(),
  started_at: null,
  ended_at: null,
  queued_ms: null,
  starting_ms: null,
  working_ms: null,
  packing_ms: null,
};
const EMPTY = storyOf([]);
const phase = (ms: number, name: Phase) => ({
  at: START + ms,
  data: { phase: name, status: "running" as const },
});
const step = (ms: number) => ({
  number: 1,
  tool: "shell" as const,
  title: "",
  at: START + ms,
  seq: 1,
  ended: null,
});
const story = (change: Partial<Story>): Story => ({ ...EMPTY, ...change });

test("each phase lasts until the next one that is known", () => {
  const { spans } = phasesOf(
    { timings: TIMINGS, phase: "ended" },
    story({
      phases: [phase(100, "starting"), phase(500, "working"), phase(9_000, "packing"), phase(9_500, "ended")],
      sandbox_started_at: START + 300,
      linked_at: START + 450,
      steps: [step(600)],
      ended_at: START + 9_500,
    }),
  );
  assert.deepEqual(
    spans.map(({ name, from, to }) => [name, from, to]),
    [
      ["queued", 0, 100],
      ["container", 100, 300],
      ["runner", 300, 450],
      ["first_step", 450, 600],
      ["working", 600, 9_000],
      ["packing", 9_000, 9_500],
    ],
  );
});

test("a job that never got a container says how long it tried, and one that waits goes on", () => {
  const tried = phasesOf(
    { timings: TIMINGS, phase: "ended" },
    story({ phases: [phase(5, "starting")], ended_at: START + 800 }),
  );
  assert.deepEqual(tried.spans, [
    { name: "queued", from: 0, to: 5 },
    { name: "container", from: 5, to: 800 },
  ]);
  const waits = phasesOf({ timings: TIMINGS, phase: "queued" }, EMPTY);
  assert.deepEqual(waits.spans, [{ name: "queued", from: 0, to: null }]);
});

test("the sandbox that only packs begins no phase", () => {
  const { spans } = phasesOf(
    { timings: TIMINGS, phase: "ended" },
    story({
      phases: [phase(10, "starting"), phase(500, "packing")],
      sandbox_started_at: START + 700,
      linked_at: START + 800,
      ended_at: START + 900,
    }),
  );
  assert.deepEqual(
    spans.map(({ name }) => name),
    ["queued", "container", "packing"],
  );
});

test("waiting for a person is told apart", () => {
  const { waited_ms } = phasesOf(
    { timings: TIMINGS, phase: "ended" },
    story({
      phases: [
        phase(0, "working"),
        phase(1_000, "waiting"),
        phase(4_000, "working"),
        phase(6_000, "waiting"),
      ],
      ended_at: START + 6_500,
    }),
  );
  assert.equal(waited_ms, 3_500);
});

test("while events are being read the job's own figures stand in", () => {
  const { spans } = coarsePhasesOf({
    phase: "ended",
    timings: { ...TIMINGS, queued_ms: 10, starting_ms: 20, working_ms: 30, packing_ms: 40 },
  });
  assert.deepEqual(spans.at(-1), { name: "packing", from: 60, to: 100 });
  assert.deepEqual(coarsePhasesOf({ phase: "queued", timings: TIMINGS }).spans, [
    { name: "queued", from: 0, to: null },
  ]);
});
