import { join } from "node:path";
import type { LanguageModel } from "ai";
import { AppError } from "../../../contract/errors.ts";
import { Steps } from "../../steps.ts";
import type { OpenTools } from "../../tools/open-tools.ts";
import type { AgentEnd, AgentPlace, Conversation, OpenAgent } from "../agent.ts";
import { failed } from "../agent-end.ts";
import type { AgentContext } from "./agent-context.ts";
import { noteTool } from "./calls/note-tool.ts";
import { Outputs } from "./calls/outputs.ts";
import type { OwnTool } from "./calls/own-tool.ts";
import { planTool } from "./calls/plan-tool.ts";
import { hear, prompt } from "./graph/converse.ts";
import { runGraph } from "./graph/graph.ts";
import { TokenEstimate } from "./memory/token-estimate.ts";
import { windowOf } from "./memory/window.ts";
import { loadModel } from "./model/load-model.ts";
import { Model, type Wait } from "./model/model.ts";
import { toolDefinition } from "./model/tool-definition.ts";
import { StateJournal } from "./state/state-journal.ts";
import { systemPrompt } from "./system-prompt.ts";
import { DAMAGED, takeOver } from "./take-over.ts";
import { workspaceListing } from "./workspace-listing.ts";

export type NativeAgentOptions = {
  place: AgentPlace;
  model: LanguageModel;
  openTools(place: AgentPlace): OpenTools;
  /** Waits between two tries of a model call; a real clock when left out. */
  wait?: Wait;
};

/** The agent of Sealwork's own: task analysis, a loop over tools, result compilation. */
export async function openConversation(options: NativeAgentOptions): Promise<Conversation> {
  const { place, wait } = options;
  const { emit, home, start, workspace } = place;
  const { model: access } = start;
  if (access === null) throw noModel();
  await using opened = new AsyncDisposableStack();
  const { journal, found } = await StateJournal.open(join(home, ".sealwork", "agent"), start.resume);
  opened.use(journal);
  const { tools } = opened.use(options.openTools(place));
  const own_tools: OwnTool[] = [planTool({ journal, workspace, emit }), noteTool(workspace)];
  const definitions = [...own_tools, ...tools].map(toolDefinition);
  const instructions = systemPrompt({ start, tools: definitions.map(({ name }) => name) });
  const estimate = new TokenEstimate();
  const context: AgentContext = {
    place,
    journal,
    model: new Model(options.model, { wait, pictures_apart: access.protocol === "openai" }),
    window: windowOf(access, estimate.tokens(instructions.length + JSON.stringify(definitions).length)),
    estimate,
    steps: new Steps({ emit, blobs: place.blobs, first: journal.state.steps }),
    tools,
    own_tools,
    definitions,
    outputs: new Outputs(home, journal),
    instructions,
  };
  if (found === "state") await takeOver(context);
  else if (found === "damaged") await journal.set({ notice: DAMAGED });
  return new NativeConversation(context, opened.move(), found === "state");
}

class NativeConversation implements Conversation {
  readonly #context: AgentContext;
  readonly #opened: AsyncDisposableStack;
  /** The first turn goes on with what another sandbox began. */
  #resumed: boolean;

  constructor(context: AgentContext, opened: AsyncDisposableStack, resumed: boolean) {
    this.#context = context;
    this.#opened = opened;
    this.#resumed = resumed;
  }

  async turn(text: string): Promise<AgentEnd> {
    const { journal } = this.#context;
    try {
      const end = await this.#turn(text);
      if (end.outcome !== "stopped") await journal.set({ node: null, end, open: null });
      return end;
    } catch (error) {
      if (isDiskFull(error)) return failed("The disk is full: the agent cannot keep its state.", "disk_full");
      throw error;
    }
  }

  async #turn(text: string): Promise<AgentEnd> {
    const { journal, place } = this.#context;
    const { end, node, turns } = journal.state;
    if (this.#resumed && turns > 0) {
      this.#resumed = false;
      if (node !== null) return runGraph(this.#context, node);
      // It had answered already; what comes next is a person's.
      if (end !== null) return end;
    }
    // A follow-up may be a mere question: the model changes its plan when it is none.
    const first = turns === 0 ? "analysis" : "work";
    await hear(this.#context, text, { turns: turns + 1, node: first, actions: 0, check_rounds: 0 });
    if (turns > 0) return runGraph(this.#context, first);
    const listing = await workspaceListing(place.workspace);
    if (listing !== "") await prompt(this.#context, `In the workspace there is already:\n${listing}`);
    return runGraph(this.#context, first);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#opened.disposeAsync();
  }
}

/** Opens the native agent on the model that the broker offers at its port. */
export const openNativeAgent: OpenAgent = async (place) => {
  const { model: access } = place.start;
  if (access === null) throw noModel();
  const { openTools } = await import("../../tools/open-tools.ts");
  return openConversation({ place, model: await loadModel(access), openTools });
};

function noModel(): AppError {
  return new AppError({
    code: "invalid_request",
    message: "The native agent needs a model, and none was given.",
    hint: "Configure a provider, or name a model.",
  });
}

function isDiskFull(error: unknown): boolean {
  return error instanceof Error && "code" in error && (error.code === "ENOSPC" || error.code === "EDQUOT");
}
