import type { Agent, ProvidersAnswer } from "../../../src/contract/api.ts";
import type { Draft } from "./draft.ts";

/** What the server would refuse for want of a model or of steps; null when it would not. Only what can be told from here. */
export type Need = "model" | "steps" | "model_or_steps" | null;

export function needOf(
  { agent, prompt }: Pick<Draft, "agent" | "prompt">,
  { agents, providers }: { agents: readonly Agent[]; providers: ProvidersAnswer["providers"] },
): Need {
  const steps = hasSteps(prompt);
  if (agent === "script") return steps || prompt.trim() === "" ? null : "steps";
  if (agent === "auto") return providers.length > 0 || steps ? null : "model_or_steps";
  const known = agents.find(({ name }) => name === agent);
  if (known === undefined || !known.needs_model) return null;
  const usable = providers.some(({ protocol }) => known.protocol === null || known.protocol === protocol);
  return usable ? null : "model";
}

/** Whether there is a fence that runs; where it stands in lists and quotes is left to the server. */
const FENCE =
  /^[\s>*+-]*(?:\d+[.)]\s+)?(?:`{3,}|~{3,})[ \t]*(?:(?:sh|bash|python|py|js|javascript|ts|typescript|desktop)\b|.*\bfile=)/m;

export function hasSteps(prompt: string): boolean {
  return FENCE.test(prompt);
}
