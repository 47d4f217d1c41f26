import { z } from "zod";
import type { Message } from "./conversation.ts";
import {
  events,
  type Generation,
  type Incoming,
  inPieces,
  json,
  type ModelProtocol,
  type Reply,
  textOf,
  usageOf,
} from "./protocol.ts";
import type { AnswerUsage, Said } from "./scenario.ts";

const Block = z.discriminatedUnion("type", [
  z.looseObject({ type: z.literal("text"), text: z.string().min(1) }),
  z.looseObject({ type: z.literal("tool_use"), id: z.string(), name: z.string(), input: z.looseObject({}) }),
  z.looseObject({
    type: z.literal("tool_result"),
    tool_use_id: z.string(),
    content: z
      .union([z.string(), z.array(z.looseObject({ type: z.string(), text: z.string().optional() }))])
      .optional(),
  }),
  z.looseObject({ type: z.enum(["image", "document", "thinking", "redacted_thinking"]) }),
]);
type Block = z.infer<typeof Block>;
const MessagesRequest = z.looseObject({
  model: z.string(),
  max_tokens: z.int().positive(),
  messages: z
    .array(
      z.looseObject({ role: z.enum(["user", "assistant"]), content: z.union([z.string(), z.array(Block)]) }),
    )
    .min(1),
  system: z.union([z.string(), z.array(z.looseObject({ text: z.string() }))]).optional(),
  tools: z.array(z.looseObject({ name: z.string() })).optional(),
  tool_choice: z
    .looseObject({ type: z.enum(["auto", "any", "none", "tool"]), name: z.string().optional() })
    .optional(),
  stream: z.boolean().optional(),
});
type MessagesRequest = z.infer<typeof MessagesRequest>;

const STOP_REASONS = {
  stop: "end_turn",
  max_tokens: "max_tokens",
  safety: "refusal",
  blocked_prompt: "refusal",
  malformed_call: "tool_use",
} as const satisfies Record<Said["finish"], string>;
const ERROR_TYPES: Record<number, string> = {
  400: "invalid_request_error",
  401: "authentication_error",
  404: "not_found_error",
  429: "rate_limit_error",
  529: "overloaded_error",
};

/** Anthropic's messages, without what no agent of ours asks for: https://docs.anthropic.com/en/api/messages */
export class AnthropicProtocol implements ModelProtocol {
  readonly #key: string | null;
  #calls = 0;

  constructor(key: string | null) {
    this.#key = key;
  }

  handle(incoming: Incoming): Reply | Generation | null {
    if (incoming.path !== "/v1/messages") return null;
    if (this.#key !== null && incoming.headers["x-api-key"] !== this.#key)
      return error(401, "invalid x-api-key");
    if (incoming.headers["anthropic-version"] === undefined)
      return error(400, "anthropic-version: header is required");
    const parsed = MessagesRequest.safeParse(parseJson(incoming.body));
    if (!parsed.success) {
      const issue = parsed.error.issues[0];
      return error(400, `${issue?.path.join(".")}: ${issue?.message}`);
    }
    return this.#generation(parsed.data, incoming.body);
  }

  #generation(request: MessagesRequest, body: string): Reply | Generation {
    const { model, system = "" } = request;
    const refused = unansweredCall(request);
    if (refused !== null) return error(400, refused);
    return {
      request: {
        protocol: "anthropic",
        model,
        stream: request.stream === true,
        system: typeof system === "string" ? system : system.map(({ text }) => text).join("\n"),
        messages: conversation(request),
        tools: request.tools?.map(({ name }) => name) ?? [],
        choice: choice(request),
        structured: false,
      },
      answer: (said) => {
        const usage = usageOf(said, body) ?? { input: 0, output: 0, cached: 0, thoughts: 0 };
        const content = this.#content(said);
        if (request.stream === true) return events(pieces(said, { model, content, usage }));
        return json({ ...head(model), content, stop_reason: stopReason(said), usage: usageBody(usage) });
      },
      refuse: ({ status, message, retry_after_s }) =>
        error(
          status,
          (message ?? "The request failed.").replaceAll("{key}", this.#key ?? ""),
          retry_after_s === undefined ? {} : { "retry-after": String(retry_after_s) },
        ),
    };
  }

  #content(said: Said): ContentOut[] {
    const text = textOf(said);
    const calls = said.calls.map(({ name, args }) => {
      this.#calls += 1;
      const input = typeof args === "string" ? { input: args } : args;
      return { type: "tool_use" as const, id: `toolu_${this.#calls}`, name, input };
    });
    return [...(text === "" ? [] : [{ type: "text" as const, text }]), ...calls];
  }
}

type ContentOut =
  | { type: "text"; text: string }
  | { type: "tool_use"; id: string; name: string; input: object };

function pieces(said: Said, answer: { model: string; content: ContentOut[]; usage: AnswerUsage }): string[] {
  const { input, cached, output, thoughts } = answer.usage;
  const event = (type: string, more: object) =>
    `event: ${type}\ndata: ${JSON.stringify({ type, ...more })}\n\n`;
  const blocks = answer.content.flatMap((block, index) => {
    const empty = block.type === "text" ? { type: "text", text: "" } : { ...block, input: {} };
    const text = block.type === "text" ? block.text : JSON.stringify(block.input);
    const delta = (piece: string) =>
      block.type === "text"
        ? { type: "text_delta", text: piece }
        : { type: "input_json_delta", partial_json: piece };
    return [
      event("content_block_start", { index, content_block: empty }),
      ...inPieces(text, said.piece_chars).map((piece) =>
        event("content_block_delta", { index, delta: delta(piece) }),
      ),
      event("content_block_stop", { index }),
    ];
  });
  const started = { ...head(answer.model), content: [], stop_reason: null };
  return [
    event("message_start", {
      message: { ...started, usage: usageBody({ input, cached, output: 1, thoughts: 0 }) },
    }),
    ...blocks,
    ...(said.breaks_with === undefined
      ? [
          event("message_delta", {
            delta: { stop_reason: stopReason(said), stop_sequence: null },
            usage: { output_tokens: output + thoughts },
          }),
          event("message_stop", {}),
        ]
      : [
          event("error", {
            error: { type: "overloaded_error", message: said.breaks_with.message ?? "Overloaded" },
          }),
        ]),
  ];
}

function choice({ tool_choice }: MessagesRequest): string {
  const { type, name } = tool_choice ?? { type: "auto" };
  return type === "any" ? "required" : type === "tool" && name !== undefined ? name : type;
}

/** Each call is answered in the message right after it. */
function unansweredCall({ messages }: MessagesRequest): string | null {
  let open = new Set<string>();
  for (const [index, { role, content }] of messages.entries()) {
    const blocks: Block[] = typeof content === "string" ? [] : content;
    for (const block of blocks)
      if (block.type === "tool_result" && !open.delete(block.tool_use_id))
        return `messages.${index}.content: unexpected \`tool_use_id\` found in \`tool_result\` blocks: ${block.tool_use_id}.`;
    if (open.size > 0)
      return `messages.${index - 1}: \`tool_use\` ids were found without \`tool_result\` blocks immediately after: ${[...open].join(", ")}.`;
    open = new Set(
      blocks.flatMap((block) => (block.type === "tool_use" && role === "assistant" ? [block.id] : [])),
    );
  }
  return null;
}

function conversation({ messages }: MessagesRequest): Message[] {
  const names = new Map<string, string>();
  return messages.map(({ role, content }) => {
    const blocks: Block[] = typeof content === "string" ? [] : content;
    const message: Message = {
      from: role === "assistant" ? "model" : "user",
      text: typeof content === "string" ? content : "",
      calls: [],
      results: [],
    };
    for (const block of blocks) {
      if (block.type === "text") message.text += block.text;
      if (block.type === "tool_use") {
        names.set(block.id, block.name);
        message.calls.push({ name: block.name, args: JSON.stringify(block.input) });
      }
      if (block.type === "tool_result")
        message.results.push({ name: names.get(block.tool_use_id) ?? "", content: plain(block.content) });
    }
    return message;
  });
}

function plain(content: string | { text?: string | undefined }[] | undefined): string {
  if (content === undefined) return "";
  return typeof content === "string" ? content : content.map(({ text }) => text ?? "").join("");
}

function parseJson(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return null;
  }
}

function stopReason(said: Said): string {
  return said.finish === "stop" && said.calls.length > 0 ? "tool_use" : STOP_REASONS[said.finish];
}

const head = (model: string) => ({ id: "msg_scripted", type: "message", role: "assistant", model });

function usageBody({ input, cached, output, thoughts }: AnswerUsage): object {
  return {
    input_tokens: input - cached,
    cache_read_input_tokens: cached,
    cache_creation_input_tokens: 0,
    output_tokens: output + thoughts,
  };
}

function error(status: number, message: string, headers: Record<string, string> = {}): Reply {
  const type = ERROR_TYPES[status] ?? "api_error";
  return json({ type: "error", error: { type, message }, request_id: "req_scripted" }, status, headers);
}
