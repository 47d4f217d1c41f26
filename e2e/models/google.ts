import { randomBytes } from "node:crypto";
import { readGoogleRequest } from "./google-request.ts";
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
import type { AnswerUsage, ErrorSaid, Said } from "./scenario.ts";

const STATUS_NAMES: Record<number, string> = {
  400: "INVALID_ARGUMENT",
  403: "PERMISSION_DENIED",
  404: "NOT_FOUND",
  429: "RESOURCE_EXHAUSTED",
  500: "INTERNAL",
  503: "UNAVAILABLE",
  504: "DEADLINE_EXCEEDED",
};
const MESSAGES: Record<number, string> = {
  429: "You exceeded your current quota, please check your plan and billing details.",
  500: "An internal error has occurred. Please retry or report in https://developers.generativeai.google/guide/troubleshooting",
  503: "The model is overloaded. Please try again later.",
};
const FINISH_REASONS = {
  stop: "STOP",
  max_tokens: "MAX_TOKENS",
  safety: "SAFETY",
  blocked_prompt: "SAFETY",
  malformed_call: "MALFORMED_FUNCTION_CALL",
} as const satisfies Record<Said["finish"], string>;

/** Google's Gemini API in its REST form, `v1beta`: https://ai.google.dev/api/generate-content */
export class GoogleProtocol implements ModelProtocol {
  readonly #key: string | null;
  readonly #models: readonly string[] | null;
  /** Each signature that was given out, and the function whose call it belongs to. */
  readonly #signatures = new Map<string, string>();
  #calls = 0;

  /** With a null `key` none is needed. `models` are those that there are; with null each name is one. */
  constructor(key: string | null, models: readonly string[] | null) {
    this.#key = key;
    this.#models = models;
  }

  handle(incoming: Incoming): Reply | Generation | null {
    const path = /^\/v1(?:beta|alpha)?\/models(?:\/([^/:]+)(?::(\w+))?)?$/.exec(incoming.path);
    // OpenAI's list of models has the same path as Google's v1.
    if (path === null || (incoming.path === "/v1/models" && incoming.headers.authorization !== undefined))
      return null;
    const given = incoming.headers["x-goog-api-key"] ?? incoming.query.get("key");
    if (this.#key !== null && given === null) return UNREGISTERED;
    if (this.#key !== null && given !== this.#key) return INVALID_KEY;
    const [, model, action] = path;
    if (model === undefined)
      return json({ models: (this.#models ?? ["scripted"]).map((name) => description(name)) });
    if (this.#models !== null && !this.#models.includes(model))
      return error(
        404,
        `models/${model} is not found for API version v1beta, or is not supported for ${action}.`,
      );
    if (action === undefined && incoming.method === "GET") return json(description(model));
    if (incoming.method !== "POST") return error(404, "Not found.");
    if (action === "countTokens") return json({ totalTokens: Math.ceil(incoming.body.length / 4) });
    if (action !== "generateContent" && action !== "streamGenerateContent") return error(404, "Not found.");
    return this.#generation(model, action === "streamGenerateContent", incoming);
  }

  #generation(model: string, stream: boolean, { body, query }: Incoming): Reply | Generation {
    const read = readGoogleRequest(body, this.#signatures);
    if (typeof read === "string") return error(400, read);
    const as_events = query.get("alt") === "sse";
    return {
      request: { ...read, model, stream },
      answer: (said) => {
        const chunks = stream ? this.#chunks(said) : [this.#whole(said)];
        const usage = usageOf(said, body);
        const whole = chunks.map((chunk, index) => ({
          ...chunk,
          ...(usage === null ? {} : { usageMetadata: usageMetadata(usage, index === chunks.length - 1) }),
          modelVersion: model,
          responseId: "scripted-response",
        }));
        if (!stream) return json(whole[0]);
        const said_last = said.breaks_with && errorBody(this.#words(said.breaks_with));
        const sent = said_last === undefined ? whole : [...whole.slice(0, -1), said_last];
        if (as_events) return events(sent.map((chunk) => `data: ${JSON.stringify(chunk)}\r\n\r\n`));
        return json(sent);
      },
      refuse: (refused) => {
        const { status, message } = this.#words(refused);
        return error(status, message, details(refused, model));
      },
    };
  }

  #words({ status, message }: ErrorSaid): { status: number; message: string } {
    const words = message ?? MESSAGES[status] ?? "The request failed.";
    return { status, message: words.replaceAll("{key}", this.#key ?? "") };
  }

  #whole(said: Said): Chunk {
    return chunk(said, [
      ...(said.thought === undefined ? [] : [{ text: said.thought, thought: true as const }]),
      ...(textOf(said) === "" ? [] : [{ text: textOf(said) }]),
      ...this.#callParts(said),
    ]);
  }

  /** In a stream a call comes whole, in a chunk of its own, and the last chunk says how it ended. */
  #chunks(said: Said): Chunk[] {
    const thoughts = said.thought === undefined ? [] : [[{ text: said.thought, thought: true as const }]];
    const texts = inPieces(textOf(said), said.piece_chars).map((text) => [{ text }]);
    const calls = this.#callParts(said).map((part) => [part]);
    const all: PartOut[][] = [...thoughts, ...texts, ...calls];
    const parts = all.length === 0 ? [[]] : all;
    return parts.map((some, index) => chunk(said, some, index === parts.length - 1));
  }

  /** Of calls that come together, the first alone carries a signature. */
  #callParts(said: Said): PartOut[] {
    return said.calls.map(({ name, args }, index) => {
      this.#calls += 1;
      const functionCall = {
        id: `call-${this.#calls}`,
        name,
        args: typeof args === "string" ? { input: args } : args,
      };
      if (index > 0) return { functionCall };
      const thoughtSignature = randomBytes(48).toString("base64");
      this.#signatures.set(thoughtSignature, name);
      return { functionCall, thoughtSignature };
    });
  }
}

type PartOut =
  | { text: string; thought?: true }
  | { functionCall: { id: string; name: string; args: unknown }; thoughtSignature?: string };
type Chunk = { candidates?: unknown[]; promptFeedback?: { blockReason: string } };

function chunk(said: Said, parts: PartOut[], last = true): Chunk {
  if (said.finish === "blocked_prompt")
    return { promptFeedback: { blockReason: FINISH_REASONS.blocked_prompt } };
  const content = parts.length === 0 ? { role: "model" } : { role: "model", parts };
  if (!last) return { candidates: [{ content, index: 0 }] };
  const finishReason = FINISH_REASONS[said.finish];
  const more =
    said.finish === "malformed_call" ? { finishMessage: "Malformed function call: print(default_api." } : {};
  return { candidates: [{ content, finishReason, index: 0, ...more }] };
}

function usageMetadata({ input, output, cached, thoughts }: AnswerUsage, last: boolean): object {
  const said = last ? { candidatesTokenCount: output } : {};
  return {
    promptTokenCount: input,
    ...said,
    totalTokenCount: input + thoughts + (last ? output : 0),
    ...(cached > 0 ? { cachedContentTokenCount: cached } : {}),
    ...(thoughts > 0 ? { thoughtsTokenCount: thoughts } : {}),
    promptTokensDetails: [{ modality: "TEXT", tokenCount: input }],
  };
}

function error(code: number, message: string, more: object[] = []): Reply {
  return json(errorBody({ status: code, message }, more), code);
}

function errorBody(
  { status: code, message }: { status: number; message: string },
  more: object[] = [],
): object {
  const status = STATUS_NAMES[code] ?? "UNKNOWN";
  return { error: { code, message, status, ...(more.length > 0 ? { details: more } : {}) } };
}

function details({ status, retry_after_s }: ErrorSaid, model: string): object[] {
  if (status !== 429) return [];
  const quota = {
    "@type": "type.googleapis.com/google.rpc.QuotaFailure",
    violations: [
      {
        quotaMetric: "generativelanguage.googleapis.com/generate_content_free_tier_requests",
        quotaId: "GenerateRequestsPerMinutePerProjectPerModel-FreeTier",
        quotaDimensions: { location: "global", model },
        quotaValue: "10",
      },
    ],
  };
  if (retry_after_s === undefined) return [quota];
  return [quota, { "@type": "type.googleapis.com/google.rpc.RetryInfo", retryDelay: `${retry_after_s}s` }];
}

const INVALID_KEY = error(400, "API key not valid. Please pass a valid API key.", [
  {
    "@type": "type.googleapis.com/google.rpc.ErrorInfo",
    reason: "API_KEY_INVALID",
    domain: "googleapis.com",
    metadata: { service: "generativelanguage.googleapis.com" },
  },
]);
const UNREGISTERED = error(
  403,
  "Method doesn't allow unregistered callers (callers without established identity). Please use API Key or other form of API consumer identity to call this API.",
);

function description(name: string): object {
  return {
    name: `models/${name}`,
    displayName: name,
    inputTokenLimit: 1_048_576,
    outputTokenLimit: 65_536,
    supportedGenerationMethods: ["generateContent", "countTokens"],
  };
}
