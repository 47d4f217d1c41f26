import type { LanguageModel } from "ai";
import { MockLanguageModelV4 } from "ai/test";

type DoStream = MockLanguageModelV4["doStream"];
/** What a model is sent, as its provider's library gets it. */
export type SentRequest = Parameters<DoStream>[0];
type Part = Awaited<ReturnType<DoStream>>["stream"] extends ReadableStream<infer P> ? P : never;
type Finish = Extract<Part, { type: "finish" }>["finishReason"]["unified"];

/** One answer of a script. `error` is thrown instead of it; `broken` ends the stream after the text. */
export type Reply = {
  text?: string;
  calls?: { name: string; input: unknown; signature?: string }[];
  finish?: Finish;
  raw_finish?: string;
  error?: Error;
  broken?: boolean;
};

const CHARS_PER_TOKEN = 4;

/** How many tokens a scripted model counts in what it is sent. */
export function tokensIn({ prompt, tools }: SentRequest): number {
  return Math.ceil((JSON.stringify(prompt).length + JSON.stringify(tools ?? []).length) / CHARS_PER_TOKEN);
}

function withoutSignal({ abortSignal: _, ...request }: SentRequest): SentRequest {
  return request;
}

/** Test support: a model that answers as its script says, and remembers what it was sent. */
export class ScriptedModel {
  readonly requests: SentRequest[] = [];
  readonly model: LanguageModel;
  #calls = 0;

  constructor(script: Reply[] | ((request: SentRequest, index: number) => Reply)) {
    const answer = typeof script === "function" ? script : (_: SentRequest, index: number) => script[index];
    this.model = new MockLanguageModelV4({
      doStream: async (request) => {
        const index = this.requests.push(structuredClone(withoutSignal(request))) - 1;
        request.abortSignal?.throwIfAborted();
        const reply = answer(request, index);
        if (reply === undefined) throw new Error(`The script has no answer ${index}.`);
        if (reply.error !== undefined) throw reply.error;
        return { stream: ReadableStream.from(this.#parts(reply, tokensIn(request))) };
      },
    });
  }

  /** The text of the last words that were sent with request `index`. */
  lastWords(index: number): string {
    return JSON.stringify(this.requests.at(index)?.prompt.at(-1)?.content);
  }

  *#parts({ text = "", calls = [], finish, raw_finish, broken }: Reply, input: number): Generator<Part> {
    yield { type: "stream-start", warnings: [] };
    if (text !== "") {
      yield { type: "text-start", id: "t" };
      yield { type: "text-delta", id: "t", delta: text };
      if (broken === true) {
        yield { type: "error", error: new Error("the connection was reset") };
        return;
      }
      yield { type: "text-end", id: "t" };
    }
    for (const { name, input: given, signature } of calls) {
      this.#calls += 1;
      yield {
        type: "tool-call",
        toolCallId: `call-${this.#calls}`,
        toolName: name,
        input: typeof given === "string" ? given : JSON.stringify(given),
        ...(signature === undefined ? {} : { providerMetadata: { google: { thoughtSignature: signature } } }),
      };
    }
    const unified = finish ?? (calls.length > 0 ? "tool-calls" : "stop");
    const tokens = { total: input, noCache: input, cacheRead: 0, cacheWrite: 0 };
    yield {
      type: "finish",
      finishReason: { unified, raw: raw_finish },
      usage: { inputTokens: tokens, outputTokens: { total: 10, text: 10, reasoning: 0 } },
    };
  }
}
