import type { EventType, StepTool } from "../../../../src/contract/event.ts";
import type { EventOf, StoryEvent } from "../events/job-events.ts";

/** A step with its times in ms since the epoch. */
export type Step = {
  number: number;
  tool: StepTool;
  title: string;
  /** When it began. */
  at: number;
  seq: number;
  ended: { at: number; seq: number; data: EventOf<"step.ended">["data"] } | null;
};

export type Timed<T extends EventType> = { at: number; data: EventOf<T>["data"] };

/** What the job had used up when a model call was over. */
export type Spent = { at: number; calls: number; tokens: number; cost_usd: number };

/** A moment at which something stands out; `step` when it belongs to one. */
export type Mark = { at: number; kind: MarkKind; text: string; step: number | null };
export type MarkKind = "approval" | "message" | "capture" | "failure";

/**
 * The events of a job in the order of their times, those of a kind beside each other, so that what was true at a moment is found by
 * halving. What comes later only adds to the lists.
 */
export type Story = {
  /** Ms since the epoch of what counts as something that happens, ascending; samples of metrics are no such thing. */
  moments: number[];
  /** Of the first and the last event. */
  from: number;
  to: number;
  steps: Step[];
  marks: Mark[];
  captures: Timed<"screen.captured">[];
  files: Timed<"file.changed">[];
  spent: Spent[];
  samples: Timed<"metrics.sampled">[];
  phases: Timed<"phase.changed">[];
  opened: Timed<"egress.opened">[];
  limits: Timed<"limit.reached">[];
  /** The first of its kind. */
  sandbox_started_at: number | null;
  linked_at: number | null;
  packed_at: number | null;
  ended_at: number | null;
};

type Kept = { events: readonly StoryEvent[]; story: Story; by_step: Map<number, Step> };

/** Looked at by several panels at once, and each time something happens: the work is done once, and for what is new only. */
let last: Kept | null = null;
let older: Kept | null = null;

export function storyOf(events: readonly StoryEvent[]): Story {
  if (last?.events === events) return last.story;
  if (older?.events === events) return older.story;
  const before = last;
  const kept = before !== null && continues(before.events, events) ? extended(before, events) : built(events);
  older = before;
  last = kept;
  return kept.story;
}

function continues(before: readonly StoryEvent[], after: readonly StoryEvent[]): boolean {
  const count = before.length;
  return (
    count > 0 && after.length >= count && after[0] === before[0] && after[count - 1] === before[count - 1]
  );
}

function built(events: readonly StoryEvent[]): Kept {
  const story: Story = {
    moments: [],
    from: 0,
    to: 0,
    steps: [],
    marks: [],
    captures: [],
    files: [],
    spent: [],
    samples: [],
    phases: [],
    opened: [],
    limits: [],
    sandbox_started_at: null,
    linked_at: null,
    packed_at: null,
    ended_at: null,
  };
  const kept = { events, story, by_step: new Map<number, Step>() };
  for (const event of events) take(kept, event);
  return kept;
}

/** The lists are the same ones, longer; the story around them is another one, so that whoever looks sees that it changed. */
function extended(before: Kept, events: readonly StoryEvent[]): Kept {
  const kept = { events, story: { ...before.story }, by_step: before.by_step };
  for (let index = before.events.length; index < events.length; index += 1) {
    const event = events[index];
    if (event !== undefined) take(kept, event);
  }
  return kept;
}

function take({ story, by_step }: Kept, event: StoryEvent): void {
  // The clock of the machine may have been set back; order is by seq.
  const at = Math.max(Date.parse(event.at), story.to);
  if (story.to === 0) story.from = at;
  story.to = at;
  if (event.type === "metrics.sampled") {
    story.samples.push({ at, data: event.data });
    return;
  }
  story.moments.push(at);
  const mark = (kind: MarkKind, text: string, step: number | null = null): void => {
    story.marks.push({ at, kind, text, step });
  };
  switch (event.type) {
    case "step.started": {
      const { step: number, tool, title } = event.data;
      const step: Step = { number, tool, title, at, seq: event.seq, ended: null };
      story.steps.push(step);
      by_step.set(number, step);
      return;
    }
    case "step.ended": {
      const step = by_step.get(event.data.step);
      if (step !== undefined) step.ended = { at, seq: event.seq, data: event.data };
      if (!event.data.ok) mark("failure", `Step ${event.data.step} failed`, event.data.step);
      return;
    }
    case "approval.asked":
      mark("approval", `Asked: ${event.data.title}`);
      return;
    case "approval.given":
      mark("approval", event.data.decision === "allow" ? "Allowed" : "Denied");
      return;
    case "message.said":
      mark("message", `${event.data.from === "agent" ? "Agent" : "You"}: ${event.data.text}`);
      return;
    case "screen.captured":
      story.captures.push({ at, data: event.data });
      mark("capture", "Screen captured", event.data.step);
      return;
    case "file.changed":
      story.files.push({ at, data: event.data });
      return;
    case "model.called": {
      const before = story.spent.at(-1);
      const { input_tokens, output_tokens, cost_usd } = event.data;
      story.spent.push({
        at,
        calls: (before?.calls ?? 0) + 1,
        tokens: (before?.tokens ?? 0) + input_tokens + output_tokens,
        cost_usd: (before?.cost_usd ?? 0) + (cost_usd ?? 0),
      });
      return;
    }
    case "phase.changed":
      story.phases.push({ at, data: event.data });
      return;
    case "egress.opened":
      story.opened.push({ at, data: event.data });
      return;
    case "egress.denied":
      mark("failure", `No way to ${event.data.host}`);
      return;
    case "limit.reached":
      story.limits.push({ at, data: event.data });
      mark("failure", event.data.message);
      return;
    case "sandbox.started":
      story.sandbox_started_at ??= at;
      return;
    case "sandbox.linked":
      story.linked_at ??= at;
      return;
    case "artifact.packed":
      story.packed_at ??= at;
      return;
    case "job.ended":
      story.ended_at = at;
      if (event.data.status === "error") mark("failure", event.data.reason?.message ?? "The job failed");
  }
}
