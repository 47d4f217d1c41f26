import type { FilePart, ModelMessage, ToolModelMessage } from "ai";

type Part = ToolModelMessage["content"][number];

/**
 * The same conversation for a protocol in which a result is text alone: its pictures follow the results in a message of their own, as if the user had
 * sent them. With `shows` false words stand in their place.
 */
export function picturesApart(messages: readonly ModelMessage[], shows: boolean): ModelMessage[] {
  const apart: ModelMessage[] = [];
  let pictures: FilePart[] = [];
  const place = (): void => {
    if (pictures.length > 0)
      apart.push({ role: "user", content: [{ type: "text", text: FOLLOWING }, ...pictures] });
    pictures = [];
  };
  for (const message of messages) {
    if (message.role !== "tool") {
      place();
      apart.push(message);
      continue;
    }
    const content = message.content.map((part) => textOnly(part, shows));
    apart.push({ ...message, content });
    if (shows) pictures.push(...message.content.flatMap(picturesOf));
  }
  place();
  return apart;
}

export function hasPictures(messages: readonly ModelMessage[]): boolean {
  return messages.some(
    (message) => message.role === "tool" && message.content.some((part) => picturesOf(part).length > 0),
  );
}

/** A model must not take them for what a person sent. */
const FOLLOWING = "[The pictures of the results above, in their order:]";

function picturesOf(part: Part): FilePart[] {
  if (part.type !== "tool-result" || part.output.type !== "content") return [];
  return part.output.value.flatMap((one) =>
    one.type === "file" && one.data.type === "data"
      ? [{ type: "file" as const, mediaType: one.mediaType, data: one.data.data }]
      : [],
  );
}

function textOnly(part: Part, shows: boolean): Part {
  if (part.type !== "tool-result" || part.output.type !== "content") return part;
  const instead = shows ? "[its picture follows]" : "[a picture, which cannot be shown to you]";
  const texts = part.output.value.map((one) => (one.type === "text" ? one.text : instead));
  return { ...part, output: { type: "text", value: texts.join("\n") } };
}
