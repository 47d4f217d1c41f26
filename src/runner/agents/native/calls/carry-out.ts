import type { ToolCallPart, ToolModelMessage } from "ai";
import { z } from "zod";
import { cutToJsonBytes } from "../../../event-text.ts";
import { isOk } from "../../../steps.ts";
import type { AgentTool, ToolOutcome } from "../../../tools/tool.ts";
import type { AgentEnd } from "../../agent.ts";
import { failed, stopped } from "../../agent-end.ts";
import type { AgentContext } from "../agent-context.ts";
import { PICTURES_KEPT, PICTURES_MAX, picturesIn, withoutOldPictures } from "../memory/pictures.ts";
import type { LoopWatch, WatchedCall } from "./loop-watch.ts";

/** Parts of a question to a person. */
const TITLE_MAX_BYTES = 900;
const DETAIL_MAX_BYTES = 7_000;
/** As base64. Providers take not much more, and the state on the volume holds it too. */
const PICTURE_MAX_CHARS = 3 * 1024 * 1024;

type Result = { outcome: WatchedCall["outcome"]; text: string; images?: ToolOutcome["images"] };

/**
 * Carries out one call of the model and puts its result into the conversation. What is wrong with a call, and a person's no, are results too.
 * Returns the agent's end when it was stopped or goes in circles.
 */
export async function carryOut(
  context: AgentContext,
  call: ToolCallPart,
  watch: LoopWatch,
): Promise<AgentEnd | null> {
  const { estimate, journal, outputs, place, steps, window } = context;
  const result = await resultOf(context, call).catch((error: unknown) => {
    if (place.signal.aborted) return null;
    throw error;
  });
  if (result === null || place.signal.aborted) return stopped(place.signal, steps.last);
  const max_chars = Math.min(window.output_max_chars, estimate.chars(window.output_tokens));
  const text = await outputs.shortened(result.text, max_chars);
  const input = JSON.stringify(call.input) ?? "";
  const verdict = watch.see({ name: call.toolName, input, result: text, outcome: result.outcome });
  const told = verdict.kind === "tell" ? `${text}\n\n[${verdict.message}]` : text;
  await journal.add([resultMessage(call, { ...result, text: told })], {
    open: null,
    actions: journal.state.actions + 1,
  });
  const { messages } = journal.state;
  if (picturesIn(messages) > PICTURES_MAX) await journal.replace(withoutOldPictures(messages, PICTURES_KEPT));
  return verdict.kind === "end" ? failed(verdict.message) : null;
}

/** The result of a call as a message of the conversation. */
export function resultMessage(
  { toolCallId, toolName }: ToolCallPart,
  { outcome, text, images = [] }: Result,
): ToolModelMessage {
  const seen = images.filter(({ base64 }) => base64.length <= PICTURE_MAX_CHARS);
  const unseen = images.length - seen.length;
  const value = unseen === 0 ? text : `${text}\n[${unseen} of its pictures cannot be shown to you]`;
  const files = seen.map(({ mime, base64 }) => ({
    type: "file" as const,
    mediaType: mime,
    data: { type: "data" as const, data: base64 },
  }));
  const output =
    files.length > 0
      ? { type: "content" as const, value: [{ type: "text" as const, text: value }, ...files] }
      : { type: outcome === "ok" ? ("text" as const) : ("error-text" as const), value };
  return { role: "tool", content: [{ type: "tool-result", toolCallId, toolName, output }] };
}

async function resultOf(context: AgentContext, call: ToolCallPart): Promise<Result> {
  const { journal, own_tools, tools } = context;
  const invalid = (text: string): Result => ({ outcome: "invalid", text });
  const malformed = journal.state.malformed[call.toolCallId];
  if (malformed !== undefined) return invalid(`${malformed} Make the call again, with a correct input.`);
  const own = own_tools.find(({ name }) => name === call.toolName);
  const tool = tools.find(({ name }) => name === call.toolName);
  const schema = own?.input ?? tool?.input;
  if (schema === undefined) {
    const names = [...own_tools, ...tools].map(({ name }) => name).join(", ");
    return invalid(`There is no tool ${call.toolName}. Your tools are: ${names}.`);
  }
  const input = schema.safeParse(call.input);
  if (!input.success)
    return invalid(`The input does not fit the tool, and nothing was done:\n${z.prettifyError(input.error)}`);
  if (own !== undefined) {
    const { ok, text } = await own.run(input.data);
    return { outcome: ok ? "ok" : "failed", text };
  }
  if (tool === undefined) throw new Error(`${call.toolName} has a schema but is no tool.`);
  return runTool(context, { call, tool, input: input.data });
}

async function runTool(
  context: AgentContext,
  { call, tool, input }: { call: ToolCallPart; tool: AgentTool; input: unknown },
): Promise<Result> {
  const { journal, place, steps } = context;
  const subject = { tool: tool.step, ...tool.describe(input) };
  const { open } = journal.state;
  // The same number in another sandbox: the question that is open there is this one.
  const number = open?.id === call.toolCallId ? open.number : journal.state.calls + 1;
  const changes = tool.changes(input);
  if (changes && place.start.approval === "always") {
    await journal.set({ calls: number, open: { id: call.toolCallId, number, step: null } });
    const decision = await askPerson(context, `call-${number}`, subject);
    if (decision === "deny")
      return {
        outcome: "failed",
        text: "A person was asked and said no: it was not done. Do not try the same in another way; do without it, or say what you cannot do.",
      };
  }
  const step = steps.last + 1;
  await journal.set({ calls: number, steps: step, open: { id: call.toolCallId, number, step } });
  const outcome = await steps.run(subject, place.signal, (step_context) => tool.run(input, step_context));
  if (changes) await journal.set({ changed: true });
  return {
    outcome: isOk(outcome) ? "ok" : "failed",
    text: outcome.for_model,
    ...(outcome.images === undefined ? {} : { images: outcome.images }),
  };
}

/** Asks before something is done; `key` names the question for good. */
export function askPerson(
  { place }: AgentContext,
  key: string,
  subject: { tool: string; title: string; code: string },
): Promise<"allow" | "deny"> {
  // The name of a file or a line of code does not say what becomes of it.
  const title = cutToJsonBytes(`${subject.tool}: ${subject.title}`, TITLE_MAX_BYTES);
  return place.ask({ key, kind: "step", title, detail: cutToJsonBytes(subject.code, DETAIL_MAX_BYTES) });
}
