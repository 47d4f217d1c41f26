import type { ModelMessage, ToolModelMessage } from "ai";

/** When a conversation holds more pictures than the first number, only the newest of the second stay: each is sent again with every request. */
export const PICTURES_MAX = 6;
export const PICTURES_KEPT = 3;

type Part = ToolModelMessage["content"][number];

export function picturesIn(messages: readonly ModelMessage[]): number {
  return messages.reduce(
    (sum, { role, content }) =>
      sum + (role === "tool" ? content.reduce((n, part) => n + picturesOf(part), 0) : 0),
    0,
  );
}

/** The same messages with words in the place of all pictures but the newest `keep`. */
export function withoutOldPictures(messages: readonly ModelMessage[], keep: number): ModelMessage[] {
  let left = keep;
  const stripped = messages.toReversed().map((message) => {
    if (message.role !== "tool") return message;
    const content = message.content.map((part) => {
      const pictures = picturesOf(part);
      if (pictures === 0) return part;
      left -= pictures;
      return left >= 0 ? part : withoutPictures(part);
    });
    return { ...message, content };
  });
  return stripped.toReversed();
}

function picturesOf(part: Part): number {
  if (part.type !== "tool-result" || part.output.type !== "content") return 0;
  return part.output.value.filter(({ type }) => type === "file").length;
}

function withoutPictures(part: Part): Part {
  if (part.type !== "tool-result" || part.output.type !== "content") return part;
  const texts = part.output.value.map((one) =>
    one.type === "text" ? one.text : "[a picture that you have seen]",
  );
  return { ...part, output: { type: "text", value: texts.join("\n") } };
}
