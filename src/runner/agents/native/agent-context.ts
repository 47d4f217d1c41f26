import type { Steps } from "../../steps.ts";
import type { AgentTool } from "../../tools/tool.ts";
import type { AgentPlace } from "../agent.ts";
import type { Outputs } from "./calls/outputs.ts";
import type { OwnTool } from "./calls/own-tool.ts";
import type { TokenEstimate } from "./memory/token-estimate.ts";
import type { Window } from "./memory/window.ts";
import type { Model } from "./model/model.ts";
import type { ToolDefinition } from "./model/tool-definition.ts";
import type { StateJournal } from "./state/state-journal.ts";

/** What the nodes of the graph work with. */
export type AgentContext = {
  place: AgentPlace;
  journal: StateJournal;
  model: Model;
  window: Window;
  estimate: TokenEstimate;
  steps: Steps;
  /** Tools whose calls are steps of the job, and those that only touch the agent's own plan and notes. */
  tools: readonly AgentTool[];
  own_tools: readonly OwnTool[];
  /** All of them, as the model is told. */
  definitions: readonly ToolDefinition[];
  outputs: Outputs;
  instructions: string;
};
