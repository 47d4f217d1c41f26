import { setTimeout as sleep } from "node:timers/promises";
import {
  type AssistantModelMessage,
  type FinishReason,
  jsonSchema,
  type LanguageModel,
  type ModelMessage,
  streamText,
  ToolChoiceViolationError,
  type ToolSet,
  tool,
} from "ai";
import { failureOf, type ModelFailure } from "./model-failure.ts";
import { hasPictures, picturesApart } from "./pictures-apart.ts";
import type { ToolDefinition } from "./tool-definition.ts";

/** An answer that was cut, or a provider that is not there, is asked this often in all. The broker has its own patience with 429 and 5xx. */
const TRIES_MAX = 8;
/** The same for a provider that has never answered in this job: a wrong address or a server that is off should be told soon. */
const FIRST_TRIES_MAX = 2;
const RETRY_FIRST_MS = 1_000;
const RETRY_MAX_MS = 30_000;
/** A model that says nothing for this long is asked anew. Large models think, and local ones read, for minutes. */
const SILENCE_MAX_MS = 10 * 60 * 1000;

/** `tool` forces a call of this one; `none` forbids calls, though tools are told of. */
export type ToolChoice = "auto" | "none" | { tool: string };

export type ModelRequest = {
  instructions: string;
  messages: ModelMessage[];
  tools: readonly ToolDefinition[];
  choice: ToolChoice;
  max_output_tokens: number;
};

/** A call as the model made it; `malformed` says why it has no usable input. */
export type ModelCall = { id: string; name: string; input: unknown; malformed: string | null };

export type ModelAnswer = {
  kind: "answer";
  /** As it goes back to the model, with what its provider wants to see again; null when there is nothing. */
  message: AssistantModelMessage | null;
  text: string;
  calls: ModelCall[];
  finish: FinishReason;
  /** In the provider's own words. */
  raw_finish: string | null;
  /** Null where the provider does not say. */
  input_tokens: number | null;
};

const NOTHING_CALLED: ModelAnswer = {
  kind: "answer",
  message: null,
  text: "",
  calls: [],
  finish: "stop",
  raw_finish: null,
  input_tokens: null,
};

/** Waits; injected by tests. Rejects when the signal aborts. */
export type Wait = (ms: number, signal: AbortSignal) => Promise<void>;

export type ModelOptions = {
  wait?: Wait | undefined;
  /** Whether its protocol has no place for pictures in results of tools, so that they are sent beside them. */
  pictures_apart: boolean;
};

/** A model that is asked one question at a time. */
export class Model {
  readonly #model: LanguageModel;
  readonly #wait: Wait;
  readonly #pictures_apart: boolean;
  /** Many models of protocols that do not say so cannot see, and their servers refuse requests with pictures. */
  #sees = true;
  #answered = false;

  constructor(model: LanguageModel, options: ModelOptions) {
    this.#model = model;
    this.#wait = options.wait ?? ((ms, signal) => sleep(ms, undefined, { signal }));
    this.#pictures_apart = options.pictures_apart;
  }

  /** One answer, whole: a stream that breaks off is asked for again, within bounds. Rejects only with the signal's reason. */
  async ask(request: ModelRequest, signal: AbortSignal): Promise<ModelAnswer | ModelFailure> {
    for (let tries = 1; ; tries++) {
      signal.throwIfAborted();
      const result = await this.#seen(request, signal);
      signal.throwIfAborted();
      if (result.kind === "answer") this.#answered = true;
      if (result.kind === "answer" || result.why !== "unavailable") return result;
      const most = this.#answered || result.away !== true ? TRIES_MAX : FIRST_TRIES_MAX;
      if (tries >= most) return result;
      await this.#wait(Math.min(RETRY_FIRST_MS * 2 ** (tries - 1), RETRY_MAX_MS), signal);
    }
  }

  /** Without pictures when the server refuses the request with them and takes it without. */
  async #seen(request: ModelRequest, signal: AbortSignal): Promise<ModelAnswer | ModelFailure> {
    if (!this.#pictures_apart || !hasPictures(request.messages)) return this.#once(request, signal);
    const { messages } = request;
    const result = await this.#once({ ...request, messages: picturesApart(messages, this.#sees) }, signal);
    if (!this.#sees || result.kind === "answer" || result.other_form !== true) return result;
    const blind = await this.#once({ ...request, messages: picturesApart(messages, false) }, signal);
    if (blind.kind === "answer") this.#sees = false;
    return blind;
  }

  async #once(request: ModelRequest, signal: AbortSignal): Promise<ModelAnswer | ModelFailure> {
    try {
      return await this.#stream(request, signal);
    } catch (error) {
      return failureOf(error);
    }
  }

  async #stream(request: ModelRequest, signal: AbortSignal): Promise<ModelAnswer | ModelFailure> {
    const { instructions, messages, choice, max_output_tokens } = request;
    const failures: unknown[] = [];
    const result = streamText({
      model: this.#model,
      instructions,
      messages,
      tools: toolSet(request.tools),
      toolChoice: typeof choice === "string" ? choice : { type: "tool", toolName: choice.tool },
      maxOutputTokens: max_output_tokens,
      maxRetries: 0,
      abortSignal: signal,
      timeout: { firstChunkMs: SILENCE_MAX_MS, chunkMs: SILENCE_MAX_MS },
      // Anthropic keeps the part of a conversation that was sent before only when it is asked to.
      providerOptions: { anthropic: { cacheControl: { type: "ephemeral" } } },
      onError: ({ error }) => {
        failures.push(error);
      },
    });
    const calls: ModelCall[] = [];
    let text = "";
    let end: Pick<ModelAnswer, "finish" | "raw_finish" | "input_tokens"> | null = null;
    for await (const part of result.stream) {
      if (part.type === "text-delta") text += part.text;
      else if (part.type === "tool-call") calls.push(callOf(part));
      else if (part.type === "finish-step") {
        const { finishReason: finish, rawFinishReason, usage } = part;
        end = { finish, raw_finish: rawFinishReason ?? null, input_tokens: usage.inputTokens ?? null };
      }
    }
    const [failure] = failures;
    // It called nothing though it had to: whoever forced it has to correct it.
    if (ToolChoiceViolationError.isInstance(failure)) {
      const { finishReason: finish } = failure;
      return { ...NOTHING_CALLED, ...end, text, finish };
    }
    if (failure !== undefined) return failureOf(failure);
    if (end === null || end.finish === "interrupted")
      return { kind: "failure", why: "unavailable", message: "The model's answer broke off." };
    const [message] = await result.responseMessages;
    return { kind: "answer", message: message?.role === "assistant" ? message : null, text, calls, ...end };
  }
}

/** Calls are validated by whoever carries them out, so that a wrong one can be answered. */
function toolSet(definitions: readonly ToolDefinition[]): ToolSet {
  const set: ToolSet = {};
  for (const { name, description, schema } of definitions)
    set[name] = tool({ description, inputSchema: jsonSchema(schema) });
  return set;
}

function callOf(part: {
  toolCallId: string;
  toolName: string;
  input: unknown;
  invalid?: boolean | undefined;
  error?: unknown;
}): ModelCall {
  const broken = part.invalid === true && typeof part.input === "string";
  const malformed = broken
    ? "The input of the call is not valid JSON, or was cut off because it was too long."
    : null;
  return { id: part.toolCallId, name: part.toolName, input: part.input, malformed };
}
