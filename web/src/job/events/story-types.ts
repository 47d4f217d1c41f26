import type { EventType } from "../../../../src/contract/event.ts";

/** All that is no output; the compiler holds it against the contract, whose own list would bring its schemas into the page. */
const STORY: Record<Exclude<EventType, "step.output">, true> = {
  "agent.ended": true,
  "agent.waiting": true,
  "approval.asked": true,
  "approval.given": true,
  "artifact.packed": true,
  "cancel.requested": true,
  "control.changed": true,
  "conversation.compacted": true,
  "egress.denied": true,
  "egress.opened": true,
  "file.changed": true,
  "image.progress": true,
  "job.ended": true,
  "job.scheduled": true,
  "job.started": true,
  "limit.reached": true,
  "message.said": true,
  "metrics.sampled": true,
  "model.called": true,
  "phase.changed": true,
  "plan.made": true,
  "port.closed": true,
  "port.opened": true,
  "sandbox.linked": true,
  "sandbox.replaced": true,
  "sandbox.started": true,
  "screen.captured": true,
  "service.ended": true,
  "service.started": true,
  "step.displayed": true,
  "step.ended": true,
  "step.started": true,
};

/** The types of events that make up the story of a job, as `types` of a request names them. */
export const STORY_TYPES = Object.keys(STORY).join();
