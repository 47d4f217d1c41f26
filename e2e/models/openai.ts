import { z } from "zod";
import type { Message } from "./conversation.ts";
import {
  argsText,
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

const TextPart = z.looseObject({ type: z.literal("text"), text: z.string() });
const Text = z.union([z.string(), z.array(TextPart)]);
/** Pictures come from users alone: a result of a tool is text. */
const PicturePart = z.looseObject({
  type: z.literal("image_url"),
  image_url: z.looseObject({ url: z.string().regex(/^(data:image\/[a-z]+;base64,|https?:)/) }),
  text: z.undefined().optional(),
});
const Content = z.union([z.string(), z.array(z.discriminatedUnion("type", [TextPart, PicturePart]))]);
const Call = z.looseObject({
  id: z.string(),
  type: z.literal("function"),
  function: z.looseObject({ name: z.string(), arguments: z.string() }),
});
const ChatMessage = z.discriminatedUnion("role", [
  z.looseObject({ role: z.literal("user"), content: Content }),
  z.looseObject({ role: z.enum(["system", "developer"]), content: Text }),
  z.looseObject({
    role: z.literal("assistant"),
    content: Text.nullish(),
    tool_calls: z.array(Call).min(1).optional(),
  }),
  z.looseObject({ role: z.literal("tool"), content: Text, tool_call_id: z.string() }),
]);
const ChatRequest = z.looseObject({
  model: z.string(),
  messages: z.array(ChatMessage).min(1),
  stream: z.boolean().nullish(),
  stream_options: z.looseObject({ include_usage: z.boolean().optional() }).nullish(),
  tools: z
    .array(
      z.looseObject({
        type: z.literal("function"),
        function: z.looseObject({ name: z.string().regex(/^[a-zA-Z0-9_-]{1,64}$/) }),
      }),
    )
    .min(1)
    .optional(),
  tool_choice: z
    .union([
      z.enum(["auto", "none", "required"]),
      z.looseObject({ type: z.literal("function"), function: z.looseObject({ name: z.string() }) }),
    ])
    .optional(),
  response_format: z
    .union([
      z.looseObject({
        type: z.literal("json_schema"),
        json_schema: z.looseObject({ name: z.string(), schema: z.looseObject({}) }),
      }),
      z.looseObject({ type: z.enum(["text", "json_object"]) }),
    ])
    .optional(),
});
type ChatRequest = z.infer<typeof ChatRequest>;

const FINISH_REASONS = {
  stop: "stop",
  max_tokens: "length",
  safety: "content_filter",
  blocked_prompt: "content_filter",
  malformed_call: "tool_calls",
} as const satisfies Record<Said["finish"], string>;
const MESSAGES: Record<number, string> = {
  429: "Rate limit reached for requests. Please try again later.",
  500: "The server had an error while processing your request. Sorry about that!",
  503: "The engine is currently overloaded, please try again later.",
};

/** OpenAI's chat completions, as Ollama, vLLM and OpenRouter speak them too: https://platform.openai.com/docs/api-reference/chat */
export class OpenAiProtocol implements ModelProtocol {
  readonly #key: string | null;
  readonly #models: readonly string[] | null;
  #calls = 0;

  constructor(key: string | null, models: readonly string[] | null) {
    this.#key = key;
    this.#models = models;
  }

  handle(incoming: Incoming): Reply | Generation | null {
    if (incoming.path !== "/v1/chat/completions" && incoming.path !== "/v1/models") return null;
    const given = /^Bearer (.*)$/.exec(incoming.headers.authorization ?? "")?.[1];
    if (this.#key !== null && given !== this.#key)
      return error(401, `Incorrect API key provided: ${(given ?? "").slice(0, 4)}***.`, "invalid_api_key");
    if (incoming.path === "/v1/models" && incoming.method === "GET") {
      const data = (this.#models ?? ["scripted"]).map((id) => ({
        id,
        object: "model",
        created: 0,
        owned_by: "e2e",
      }));
      return json({ object: "list", data });
    }
    if (incoming.method !== "POST") return error(405, "Only POST requests are accepted.");
    return this.#generation(incoming.body);
  }

  #generation(body: string): Reply | Generation {
    const parsed = z
      .string()
      .transform((text, context) => {
        try {
          return JSON.parse(text);
        } catch {
          context.addIssue("We could not parse the JSON body of your request.");
          return z.NEVER;
        }
      })
      .pipe(ChatRequest)
      .safeParse(body);
    if (!parsed.success) {
      const issue = parsed.error.issues[0];
      return error(400, `Invalid '${issue?.path.join(".")}': ${issue?.message}`);
    }
    const request = parsed.data;
    const { model } = request;
    if (this.#models !== null && !this.#models.includes(model))
      return error(
        404,
        `The model \`${model}\` does not exist or you do not have access to it.`,
        "model_not_found",
      );
    const refused = refusal(request);
    if (refused !== null) return error(400, refused);
    const stream = request.stream === true;
    return {
      request: {
        protocol: "openai",
        model,
        stream,
        system: request.messages
          .filter(({ role }) => role === "system" || role === "developer")
          .map(({ content }) => plain(content))
          .join("\n"),
        messages: conversation(request),
        tools: request.tools?.map((tool) => tool.function.name) ?? [],
        choice:
          typeof request.tool_choice === "object"
            ? request.tool_choice.function.name
            : (request.tool_choice ?? "auto"),
        structured: (request.response_format?.type ?? "text") !== "text",
      },
      answer: (said) => {
        const usage = usageOf(said, body);
        if (!stream) return json(this.#whole(said, model, usage));
        const told = request.stream_options?.include_usage === true;
        const end = said.breaks_with === undefined ? ["data: [DONE]\n\n"] : [];
        return events([...this.#pieces(said, model, told ? usage : null), ...end]);
      },
      refuse: ({ status, message, retry_after_s }) =>
        error(
          status,
          (message ?? MESSAGES[status] ?? "The request failed.").replaceAll("{key}", this.#key ?? ""),
          status === 429 ? "rate_limit_exceeded" : null,
          retry_after_s === undefined ? {} : { "retry-after": String(retry_after_s) },
        ),
    };
  }

  #whole(said: Said, model: string, usage: AnswerUsage | null): object {
    const calls = this.#toolCalls(said);
    const text = textOf(said);
    return {
      ...head("chat.completion", model),
      choices: [
        {
          index: 0,
          message: {
            role: "assistant",
            content: text === "" ? null : text,
            refusal: null,
            ...(said.thought === undefined ? {} : { reasoning_content: said.thought }),
            ...(calls.length === 0 ? {} : { tool_calls: calls }),
          },
          logprobs: null,
          finish_reason: finishReason(said),
        },
      ],
      ...(usage === null ? {} : { usage: usageBody(usage) }),
    };
  }

  /** A call's arguments come in pieces, after a piece with its id and name. */
  #pieces(said: Said, model: string, usage: AnswerUsage | null): string[] {
    const chunk = (delta: object, finish_reason: string | null = null) => ({
      ...head("chat.completion.chunk", model),
      choices: [{ index: 0, delta, logprobs: null, finish_reason }],
    });
    const chunks: object[] = [chunk({ role: "assistant", content: "" })];
    if (said.thought !== undefined) chunks.push(chunk({ reasoning_content: said.thought }));
    for (const content of inPieces(textOf(said), said.piece_chars)) chunks.push(chunk({ content }));
    for (const [index, { id, type, function: called }] of this.#toolCalls(said).entries()) {
      chunks.push(
        chunk({ tool_calls: [{ index, id, type, function: { name: called.name, arguments: "" } }] }),
      );
      for (const piece of inPieces(called.arguments, said.piece_chars))
        chunks.push(chunk({ tool_calls: [{ index, function: { arguments: piece } }] }));
    }
    if (said.breaks_with !== undefined) {
      const { status, message = "Provider disconnected" } = said.breaks_with;
      chunks.push({ error: { code: status, message: message.replaceAll("{key}", this.#key ?? "") } });
      return chunks.map((one) => `data: ${JSON.stringify(one)}\n\n`);
    }
    chunks.push(chunk({}, finishReason(said)));
    if (usage !== null)
      chunks.push({ ...head("chat.completion.chunk", model), choices: [], usage: usageBody(usage) });
    return chunks.map((one) => `data: ${JSON.stringify(one)}\n\n`);
  }

  #toolCalls(said: Said) {
    return said.calls.map(({ name, args }) => {
      this.#calls += 1;
      return { id: `call_${this.#calls}`, type: "function", function: { name, arguments: argsText(args) } };
    });
  }
}

function refusal({ messages, stream, stream_options, response_format }: ChatRequest): string | null {
  if (stream !== true && stream_options !== undefined && stream_options !== null)
    return "The 'stream_options' parameter is only allowed when 'stream' is enabled.";
  if (
    response_format?.type === "json_object" &&
    !messages.some(({ content }) => /json/i.test(plain(content)))
  )
    return "'messages' must contain the word 'json' in some form, to use 'response_format' of type 'json_object'.";
  let open = new Set<string>();
  for (const [index, message] of messages.entries()) {
    if (message.role === "tool") {
      if (!open.delete(message.tool_call_id))
        return `Invalid parameter at messages.[${index}].role: messages with role 'tool' must be a response to a preceding message with 'tool_calls'.`;
      continue;
    }
    if (open.size > 0) return unanswered(open);
    if (message.role !== "assistant") continue;
    if ((message.content ?? null) === null && message.tool_calls === undefined)
      return `Invalid value for 'content': expected a string, got null at messages.[${index}].content.`;
    open = new Set(message.tool_calls?.map(({ id }) => id));
  }
  return open.size > 0 ? unanswered(open) : null;
}

const unanswered = (ids: ReadonlySet<string>) =>
  `An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'. The following tool_call_ids did not have response messages: ${[...ids].join(", ")}`;

/** Results that follow each other count as one message, as in the other protocols. */
function conversation({ messages }: ChatRequest): Message[] {
  const names = new Map(
    messages.flatMap((message) =>
      message.role === "assistant"
        ? (message.tool_calls ?? []).map((call) => [call.id, call.function.name] as const)
        : [],
    ),
  );
  const found: Message[] = [];
  for (const message of messages) {
    if (message.role === "system" || message.role === "developer") continue;
    if (message.role === "tool") {
      const result = { name: names.get(message.tool_call_id) ?? "", content: plain(message.content) };
      const before = found.at(-1);
      if (before !== undefined && before.results.length > 0) before.results.push(result);
      else found.push({ from: "user", text: "", calls: [], results: [result] });
      continue;
    }
    const calls = message.role === "assistant" ? (message.tool_calls ?? []) : [];
    found.push({
      from: message.role === "assistant" ? "model" : "user",
      text: plain(message.content),
      calls: calls.map((call) => ({ name: call.function.name, args: call.function.arguments })),
      results: [],
    });
  }
  return found;
}

function plain(content: z.infer<typeof Content> | null | undefined): string {
  if (content === null || content === undefined) return "";
  return typeof content === "string" ? content : content.map(({ text }) => text ?? "").join("");
}

function finishReason(said: Said): string {
  return said.finish === "stop" && said.calls.length > 0 ? "tool_calls" : FINISH_REASONS[said.finish];
}

const head = (object: string, model: string) => ({ id: "chatcmpl-scripted", object, created: 0, model });

function usageBody({ input, output, cached, thoughts }: AnswerUsage): object {
  return {
    prompt_tokens: input,
    completion_tokens: output + thoughts,
    total_tokens: input + output + thoughts,
    prompt_tokens_details: { cached_tokens: cached },
    completion_tokens_details: { reasoning_tokens: thoughts },
  };
}

function error(
  status: number,
  message: string,
  code: string | null = null,
  headers: Record<string, string> = {},
): Reply {
  const type = status >= 500 ? "server_error" : status === 429 ? "requests" : "invalid_request_error";
  return json({ error: { message, type, param: null, code } }, status, headers);
}
