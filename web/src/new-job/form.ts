import type { Agent, ProvidersAnswer, Template } from "../../../src/contract/api.ts";
import type { Draft } from "./draft.ts";
import type { Faults } from "./job-request.ts";

/** What every part of the page shows and changes. */
export type Form = {
  draft: Draft;
  faults: Faults;
  change: (draft: Partial<Draft>) => void;
  agents: readonly Agent[];
  templates: readonly Template[];
  models: ProvidersAnswer;
};

/** The template that the job will have as far as it can be told: its own, the agent's, the default one. */
export function templateOf({ draft, agents, templates }: Form): Template | undefined {
  const own = agents.find(({ name }) => name === draft.agent)?.template;
  const wanted = draft.template || own;
  return wanted ? templates.find(({ name }) => name === wanted) : templates.find((one) => one.default);
}

/** The agent that `auto` will be. */
export function agentOf({ draft, models }: Form): string {
  if (draft.agent !== "auto") return draft.agent;
  return models.providers.length > 0 ? "native" : "script";
}
