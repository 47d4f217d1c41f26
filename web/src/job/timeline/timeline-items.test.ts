import assert from "node:assert/strict";
import { test } from "node:test";
import type { StoryEvent } from "../events/job-events.ts";
import { type TimelineItem, TimelineItems } from "./timeline-items.ts";

const at = "2026-11-28T20:00:00.000Z";
const started = {
  type: "step.started",
  data: { step: 1, tool: "python", title: "t", code: "", code_blob: null },
};
const displayed = { type: "step.displayed", data: { step: 1, mime: "text/plain", blob: null, text: "x" } };
const changed = {
  type: "file.changed",
  data: { path: "a", change: "created", size_bytes: 1, blob: null, diff: null, diff_blob: null },
};
const captured = { type: "screen.captured", data: { blob: "", width: 1, height: 1, step: 1 } };

/** Events of a job, numbered in this order. */
function story(bodies: readonly object[]): StoryEvent[] {
  return bodies.map(
    (body, index) => ({ ...body, seq: index + 1, cursor: index + 1, job_id: "j", at }) as StoryEvent,
  );
}

function stepOf(items: readonly TimelineItem[]) {
  const [item] = items;
  assert(item?.kind === "step");
  return item;
}

test("what a step shows and changes is added to it in order; the item is another one each time, its lists are not copied", () => {
  const builder = new TimelineItems();
  const events = story([started, displayed, changed, captured, displayed, changed, captured]);
  const before = stepOf(builder.of(events.slice(0, 4)));
  const { displayed: shown, files, screens } = before;
  const after = stepOf(builder.of(events));
  assert.notEqual(after, before);
  assert.deepEqual(
    [after.displayed, after.files, after.screens].map((list) => list.map(({ seq }) => seq)),
    [
      [2, 5],
      [3, 6],
      [4, 7],
    ],
  );
  // A copy for each event takes the square of the time: the page stands still where a loop shows a hundred thousand things.
  assert.deepEqual(
    [after.displayed === shown, after.files === files, after.screens === screens],
    [true, true, true],
  );
});

test("at an earlier moment of a replay the lists are those of then", () => {
  const builder = new TimelineItems();
  const events = story([started, displayed, displayed]);
  assert.equal(stepOf(builder.of(events)).displayed.length, 2);
  assert.equal(stepOf(builder.of(events.slice(0, 2))).displayed.length, 1);
  assert.equal(stepOf(builder.of(events)).displayed.length, 2);
});

const plan = (...states: string[]) => ({
  type: "plan.made",
  data: { steps: states.map((state) => ({ title: "t", state })), files: [], checks: [] },
});
const begun = (step: number) => ({ ...started, data: { ...started.data, step } });
const over = (step: number, ok: boolean) => ({ type: "step.ended", data: { step, ok } });
const scheduled = (agent: string) => ({ type: "job.scheduled", data: { agent } });

function ticksOf(bodies: readonly object[]): string[] {
  const plans = new TimelineItems().of(story(bodies)).filter((item) => item.kind === "plan");
  assert.equal(plans.length, 1);
  return plans.flatMap((item) => item.plan.data.steps.map(({ state }) => state));
}

test("the plan of a script is ticked by its steps; one that failed is never done", () => {
  const all = [
    scheduled("script"),
    plan("pending", "pending", "pending"),
    begun(1),
    over(1, true),
    begun(2),
    over(2, false),
  ];
  assert.deepEqual(ticksOf(all.slice(0, 3)), ["active", "pending", "pending"]);
  assert.deepEqual(ticksOf(all.slice(0, 4)), ["done", "pending", "pending"]);
  assert.deepEqual(ticksOf(all), ["done", "pending", "pending"]);
});

test("the plan of other agents is ticked by what they say, in the card that is there", () => {
  const all = [scheduled("native"), plan("active", "pending"), begun(1), over(1, true)];
  assert.deepEqual(ticksOf(all), ["active", "pending"]);
  assert.deepEqual(ticksOf([...all, plan("done", "active")]), ["done", "active"]);
});
