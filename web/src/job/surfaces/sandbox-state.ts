import type { Phase } from "../../../../src/contract/job.ts";

/** Whether the sandbox of a job can be used: not yet, now, or never again. */
export type SandboxState = "before" | "open" | "over";

const BY_PHASE: Record<Phase, SandboxState> = {
  queued: "before",
  starting: "before",
  working: "open",
  waiting: "open",
  packing: "over",
  ended: "over",
};

export function sandboxState({ phase }: { phase: Phase }): SandboxState {
  return BY_PHASE[phase];
}
