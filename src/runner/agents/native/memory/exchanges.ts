import type { ModelMessage, ToolCallPart } from "ai";

/** What is kept or dropped together: words of a person, or an answer of the model with the results of its calls. */
export type Exchange = ModelMessage[];

export function exchangesOf(messages: readonly ModelMessage[]): Exchange[] {
  const exchanges: Exchange[] = [];
  for (const message of messages) {
    const last = exchanges.at(-1);
    if (message.role === "tool" && last !== undefined) last.push(message);
    else exchanges.push([message]);
  }
  return exchanges;
}

/** The calls of the last answer that have no result yet, in the model's order. */
export function pendingCalls(messages: readonly ModelMessage[]): ToolCallPart[] {
  const [answer, ...results] = exchangesOf(messages).at(-1) ?? [];
  if (answer?.role !== "assistant" || typeof answer.content === "string") return [];
  const answered = new Set<string>();
  for (const { role, content } of results)
    if (role === "tool")
      for (const part of content) if (part.type === "tool-result") answered.add(part.toolCallId);
  return answer.content
    .filter((part) => part.type === "tool-call")
    .filter((call) => !answered.has(call.toolCallId));
}
