import { tokensOfText } from "./estimate.ts";
import { hasTooManyValues } from "./json-values.ts";
import { SseParser } from "./sse.ts";

/** Of an answer that is one JSON text, this much is kept to be read at its end. */
const JSON_MAX_BYTES = 16 * 1024 * 1024;
/** Strings under these names are what a model wrote, in all three protocols. */
const WRITTEN = new Set([
  "content",
  "text",
  "arguments",
  "args",
  "delta",
  "reasoning",
  "reasoning_content",
  "thinking",
  "partial_json",
  "refusal",
  "code",
]);

export type Tokens = { input_tokens: number; cached_tokens: number; output_tokens: number };

/** Counts the tokens of an answer as it passes. Holds a bounded part of it, and never fails: what is no usage is none. */
export class UsageCounter {
  readonly #sse: SseParser | null;
  readonly #json: Buffer[] = [];
  #bytes = 0;
  #written_chars = 0;
  #tokens: Tokens | null = null;

  constructor(content_type: string) {
    this.#sse = content_type.toLowerCase().startsWith("text/event-stream")
      ? new SseParser((data) => this.#see(data))
      : null;
  }

  push(chunk: Buffer): void {
    this.#bytes += chunk.length;
    if (this.#sse !== null) {
      this.#sse.push(chunk);
      return;
    }
    if (this.#bytes <= JSON_MAX_BYTES) this.#json.push(chunk);
    else this.#json.length = 0;
  }

  /** What the provider said, null when it said nothing. To be called when no more comes. */
  end(): Tokens | null {
    this.#sse?.end();
    if (this.#json.length > 0) this.#see(Buffer.concat(this.#json.splice(0)).toString());
    return this.#tokens;
  }

  /** About how many tokens the model wrote, as far as the answer came. */
  estimatedOutput(): number {
    if (this.#written_chars > 0) return tokensOfText(this.#written_chars);
    return this.#sse === null ? tokensOfText(this.#bytes) : 0;
  }

  #see(text: string): void {
    // What is no object or array has no usage; a stream of millions of other events must not cost as many thrown errors.
    if (!/^\s*[{[]\s*["{}\]]/.test(text)) return;
    if (hasTooManyValues(text)) return;
    let json: unknown;
    try {
      json = JSON.parse(text);
    } catch {
      // An answer that was cut: the bytes are the client's, there is only nothing to count.
      return;
    }
    for (const each of Array.isArray(json) ? json : [json]) {
      this.#written_chars += writtenChars(each);
      const found = usageOf(each);
      if (found === null) continue;
      const before = this.#tokens ?? found;
      // Counts of a stream only grow, and a later part may leave out what an earlier one said.
      this.#tokens = {
        input_tokens: Math.max(before.input_tokens, found.input_tokens),
        cached_tokens: Math.max(before.cached_tokens, found.cached_tokens),
        output_tokens: Math.max(before.output_tokens, found.output_tokens),
      };
    }
  }
}

/** The usage in one JSON object of any of the protocols, wherever they put it. */
export function usageOf(value: unknown): Tokens | null {
  const at = record(value);
  const google = at.usageMetadata;
  if (isRecord(google)) {
    return {
      // Of the Gemini API's UsageMetadata: cached content is part of the prompt; thoughts are billed as output.
      input_tokens: count(google.promptTokenCount) + count(google.toolUsePromptTokenCount),
      cached_tokens: count(google.cachedContentTokenCount),
      output_tokens: count(google.candidatesTokenCount) + count(google.thoughtsTokenCount),
    };
  }
  const usage = [at.usage, record(at.response).usage, record(at.message).usage].find(isRecord);
  if (usage === undefined) return null;
  // Anthropic counts what it reads from and writes to its cache beside the input; the others count it within.
  const beside = count(usage.cache_read_input_tokens) + count(usage.cache_creation_input_tokens);
  const details = record(usage.prompt_tokens_details ?? usage.input_tokens_details);
  return {
    input_tokens: count(usage.prompt_tokens ?? usage.input_tokens) + beside,
    cached_tokens: count(usage.cache_read_input_tokens ?? details.cached_tokens),
    output_tokens: count(usage.completion_tokens ?? usage.output_tokens),
  };
}

/** Without recursion: an answer may be nested as deep as a hostile provider likes. */
function writtenChars(json: unknown): number {
  let chars = 0;
  const waiting: [string, unknown][] = [["", json]];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const [name, value] = next;
    if (typeof value === "string") {
      if (WRITTEN.has(name)) chars += value.length;
    } else if (Array.isArray(value)) {
      for (const each of value) waiting.push([name, each]);
    } else if (isRecord(value)) {
      // Google gives a call's arguments as an object, all of whose strings the model wrote.
      for (const [key, each] of Object.entries(value)) waiting.push([name === "args" ? name : key, each]);
    }
  }
  return chars;
}

function count(value: unknown): number {
  return typeof value === "number" && Number.isSafeInteger(value) && value > 0 ? value : 0;
}

function record(value: unknown): Record<string, unknown> {
  return isRecord(value) ? value : {};
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
