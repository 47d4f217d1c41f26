import assert from "node:assert/strict";
import { test } from "node:test";
import type { Event, EventBody } from "../contract/event.ts";
import { AT, newJob } from "../stores/store-fixtures.ts";
import { tellStory, transcript } from "./story.ts";

async function* eventsOf(job_id: string, bodies: readonly EventBody[]): AsyncGenerator<Event> {
  for (const [index, body] of bodies.entries()) yield { seq: index + 1, at: AT, job_id, ...body } as Event;
}

const started = (step: number): EventBody => ({
  type: "step.started",
  data: { step, tool: "python", title: `cell ${step}`, code: `cell ${step}`, code_blob: null },
});
const ended = (step: number): EventBody => ({
  type: "step.ended",
  data: { step, cause: "exited", exit_code: 0, signal: null, message: null, duration_ms: 1, ok: true },
});
const said = (from: "agent" | "person", text: string): EventBody => ({
  type: "message.said",
  data: { from, text },
});

test("a transcript has words where they were said, what a step displayed, and the model", async () => {
  const record = newJob({ request: { agent: "native", model: "google/gemini-x" } });
  const story = await tellStory(
    eventsOf(record.job_id, [
      said("agent", "First words"),
      started(1),
      said("person", "While it ran"),
      { type: "step.displayed", data: { step: 1, mime: "text/plain", blob: null, text: "338350" } },
      { type: "step.displayed", data: { step: 1, mime: "image/png", blob: "0".repeat(64), text: null } },
      ended(1),
      started(2),
      ended(2),
      said("agent", "Last ```words"),
    ]),
  );
  const text = [...transcript(record, story)].join("");
  const order = [
    "- Model: google/gemini-x",
    "## The agent\n\n```\nFirst words",
    "## Step 1 (python)",
    "338350\n[image/png]",
    "## A person\n\n```\nWhile it ran",
    "## Step 2 (python)",
    "## The agent\n\n````\nLast ```words\n````",
  ].map((part) => text.indexOf(part));
  assert.ok(!order.includes(-1), text);
  assert.deepEqual(
    order,
    order.toSorted((a, b) => a - b),
  );
});
