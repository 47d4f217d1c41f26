import type { ModelMessage } from "ai";
import { shorten } from "./shorten.ts";

/** Of one part, at first and at least; in between it is halved until all fits. */
const PART_MAX_CHARS = 4_000;
const PART_MIN_CHARS = 120;

/** Exchanges as text of at most about `max_chars`, for a model to summarise. Pictures are only named. */
export function transcriptOf(messages: readonly ModelMessage[], max_chars: number): string {
  for (let part = PART_MAX_CHARS; ; part /= 2) {
    const text = messages.map((message) => textOf(message, part)).join("\n\n");
    if (text.length <= max_chars || part <= PART_MIN_CHARS) return shorten(text, max_chars);
  }
}

function textOf({ role, content }: ModelMessage, part_max_chars: number): string {
  const cut = (text: string): string => shorten(text, part_max_chars);
  const who = { user: "PERSON", assistant: "AGENT", tool: "RESULT", system: "SYSTEM" }[role];
  if (typeof content === "string") return `${who}: ${cut(content)}`;
  const parts = content.flatMap((part): string[] => {
    if (part.type === "text") return [cut(part.text)];
    if (part.type === "tool-call") return [`calls ${part.toolName} ${cut(JSON.stringify(part.input))}`];
    if (part.type !== "tool-result") return [];
    const { output } = part;
    if (output.type === "text" || output.type === "error-text")
      return [`of ${part.toolName}: ${cut(output.value)}`];
    if (output.type !== "content") return [];
    const shown = output.value.map((one) => (one.type === "text" ? cut(one.text) : "[picture]"));
    return [`of ${part.toolName}: ${shown.join("\n")}`];
  });
  return `${who}: ${parts.join("\n")}`;
}
