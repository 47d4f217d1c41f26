import type { ModelMessage } from "ai";
import { MESSAGE_MAX_CHARS } from "../../../../contract/link.ts";
import { cutToJsonBytes } from "../../../event-text.ts";
import type { AgentEnd } from "../../agent.ts";
import { failed, stopped } from "../../agent-end.ts";
import type { AgentContext } from "../agent-context.ts";
import { compactWhenFull } from "../memory/compaction.ts";
import { charsOf } from "../memory/token-estimate.ts";
import type { ModelAnswer, ToolChoice } from "../model/model.ts";
import type { ModelFailure } from "../model/model-failure.ts";
import type { StateChange } from "../state/state-journal.ts";

/** Questions to the model and calls of tools in one turn: hundreds are work, thousands are none. */
const ACTIONS_PER_TURN_MAX = 2_000;
/** What people said that is kept beside the conversation. */
const REQUESTS_MAX = 200;
const REQUEST_KEPT_MAX_CHARS = 32_000;

/**
 * Asks the model what comes next: what people said meanwhile goes before, older exchanges are compacted when that is due, and the answer
 * becomes part of the conversation. An end instead of an answer when there can be none.
 */
export async function converse(context: AgentContext, choice: ToolChoice): Promise<ModelAnswer | AgentEnd> {
  const { journal, place, steps } = context;
  try {
    place.signal.throwIfAborted();
    await tellNotice(context);
    // Whoever asks for a summary gets one; what people say meanwhile is for the next turn.
    if (choice !== "none") for (const text of place.inbox.take()) await hear(context, text);
    const { actions } = journal.state;
    if (actions >= ACTIONS_PER_TURN_MAX)
      return failed(`The agent took ${actions} actions in this turn and did not come to an end.`);
    await journal.set({ actions: actions + 1 });
    await compactWhenFull(context);
    let answer = await ask(context, choice);
    if (answer.kind === "failure" && answer.why === "too_long") {
      await compactWhenFull(context, true);
      answer = await ask(context, choice);
    }
    if (answer.kind === "failure") return endOf(answer);
    const malformed = answer.calls.flatMap(({ id, malformed: why }) =>
      why === null ? [] : [[id, why] as const],
    );
    await journal.add(answer.message === null ? [] : [answer.message], {
      malformed: Object.fromEntries(malformed),
    });
    if (choice === "auto" && answer.text.trim() !== "") await say(context, answer.text.trim());
    return answer;
  } catch (error) {
    if (place.signal.aborted) return stopped(place.signal, steps.last);
    throw error;
  }
}

/** Words of a person become a part of the conversation, and are kept beside it. */
export async function hear(context: AgentContext, text: string, change: StateChange = {}): Promise<void> {
  const { journal, outputs, window, estimate } = context;
  await tellNotice(context);
  const content = await outputs.shortened(text, estimate.chars(window.request_tokens));
  const { requests } = journal.state;
  const kept = [...requests, content.slice(0, REQUEST_KEPT_MAX_CHARS).toWellFormed()];
  // The first one is the task.
  if (kept.length > REQUESTS_MAX) kept.splice(1, 1);
  await journal.add([{ role: "user", content }], { ...change, requests: kept });
}

/** What the graph itself says to the model. */
export async function prompt({ journal }: AgentContext, text: string): Promise<void> {
  await journal.add([{ role: "user", content: text }]);
}

async function tellNotice({ journal }: AgentContext): Promise<void> {
  const { notice } = journal.state;
  if (notice !== null) await journal.add([{ role: "user", content: notice }], { notice: null });
}

async function ask(context: AgentContext, choice: ToolChoice): Promise<ModelAnswer | ModelFailure> {
  const { definitions, estimate, instructions, journal, model, place, window } = context;
  const messages = alternating(journal.state.messages);
  const tools =
    typeof choice === "string" ? definitions : definitions.filter(({ name }) => name === choice.tool);
  const { max_output_tokens } = window;
  const request = { instructions, messages, tools, choice, max_output_tokens };
  let answer = await model.ask(request, place.signal);
  // Some servers know no forced calls.
  if (answer.kind === "failure" && answer.other_form === true && typeof choice !== "string")
    answer = await model.ask({ ...request, choice: "auto" }, place.signal);
  if (answer.kind === "answer" && answer.input_tokens !== null)
    estimate.learn(
      instructions.length + JSON.stringify(tools).length + charsOf(messages),
      answer.input_tokens,
    );
  return answer;
}

/** Words that follow each other become one message: the templates of some open models know only turns. */
function alternating(messages: readonly ModelMessage[]): ModelMessage[] {
  const merged: ModelMessage[] = [];
  for (const message of messages) {
    const last = merged.at(-1);
    const texts = message.role === "user" && last?.role === "user" ? [last.content, message.content] : [];
    const [before, added] = texts;
    if (typeof before === "string" && typeof added === "string")
      merged.splice(-1, 1, { role: "user", content: `${before}\n\n${added}` });
    else merged.push(message);
  }
  return merged;
}

async function say({ place }: AgentContext, text: string): Promise<void> {
  // A character takes at least one byte.
  const data = { from: "agent" as const, text: cutToJsonBytes(text, MESSAGE_MAX_CHARS) };
  await place.emit({ type: "message.said", data });
}

function endOf({ why, message, hint }: ModelFailure): AgentEnd {
  if (why === "budget") return failed(`The budget of the job is used up: ${message}`, "budget_exhausted");
  if (why === "too_long")
    return failed(
      `The model's provider says that the request is too long, after it was shortened too; check the window configured for the model. ${message}`,
    );
  if (why === "rejected")
    return failed(`The model's provider refused the request: ${message}`, "agent_failed", hint);
  return failed(
    `The model could not be reached, or its answers broke off each time: ${message}`,
    "agent_failed",
    hint,
  );
}
