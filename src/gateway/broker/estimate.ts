import type { ModelConfig } from "../../contract/config.ts";
import type { Estimate } from "../../core/outbound.ts";

/**
 * Bytes of a body for one token. English has about four, code three, Chinese three for one or two tokens, and JSON around it adds bytes
 * without tokens: two is more tokens than nearly any real text has, and what a call did not use is given back when it ends.
 */
const BYTES_PER_TOKEN = 2;
const BYTES_PER_TOKEN_LIKELY = 4;
/** Media as base64: images, pages and sound are far fewer tokens than their bytes; this is above what each of them costs. */
const MEDIA_BYTES_PER_TOKEN = 32;
const MEDIA_MIN_CHARS = 4_096;
const MEDIA = /^(?:data:[^,]{0,200},)?[A-Za-z0-9+/_-]+=*$/;
/** What refers to input that lies with the provider already. */
const REMEMBERED = ["previous_response_id", "conversation", "cachedContent", "cached_content"];
/** How the protocols write the most that an answer may have, at the top or in Google's generationConfig, in both of JSON's spellings. */
const OUTPUT_MAX = ["max_tokens", "max_completion_tokens", "max_output_tokens", "maxOutputTokens"];
const ANSWERS = ["n", "best_of", "candidateCount", "candidate_count"];
const ANSWERS_MAX = 128;

/** What a call could use at most: tokens that its body may be, and as many as it lets the model write. */
export function estimateOf(options: {
  provider: string;
  model: string;
  body: Record<string, unknown>;
  body_bytes: number;
  /** Embeddings are all input. */
  writes: boolean;
  info: ModelConfig;
}): Estimate {
  const { provider, model, body, info } = options;
  const input_tokens = inputTokens(body, options.body_bytes, info.context_tokens);
  if (!options.writes) return { provider, model, input_tokens, output_tokens: 0 };
  const config = record(body.generationConfig ?? body.generation_config);
  const given = largest([body, config], OUTPUT_MAX);
  // No answer is longer than the window, whatever is asked for.
  const each = Math.min(given ?? info.max_output_tokens, info.context_tokens);
  const answers = Math.min(largest([body, config], ANSWERS) ?? 1, ANSWERS_MAX) * prompts(body.prompt);
  return { provider, model, input_tokens, output_tokens: Math.ceil(each * answers) };
}

/** OpenAI's older completions take many prompts at once, each a text or a list of tokens, and answer each. */
function prompts(given: unknown): number {
  return Array.isArray(given) && typeof given[0] !== "number" ? Math.max(given.length, 1) : 1;
}

/** Tokens of a text of which nothing but its length is known: rather too many than too few. */
export function tokensOfText(chars: number): number {
  return Math.ceil(chars / 3);
}

/** More than the window is never read, but a body that is plainly larger shows that the window is not the one that is known. */
function inputTokens(body: Record<string, unknown>, body_bytes: number, window_tokens: number): number {
  const remembers = REMEMBERED.some(
    (name) => typeof body[name] === "string" || record(body[name]).id !== undefined,
  );
  const media = mediaChars(body);
  const of_media = media / MEDIA_BYTES_PER_TOKEN;
  const text_bytes = Math.max(body_bytes - media, 0);
  const likely = Math.ceil(text_bytes / BYTES_PER_TOKEN_LIKELY + of_media);
  const most = remembers ? Number.MAX_SAFE_INTEGER : Math.ceil(text_bytes / BYTES_PER_TOKEN + of_media);
  return Math.min(most, Math.max(window_tokens, likely));
}

/** Characters of all strings that are encoded media. Goes without recursion, since a body may be nested as deep as it likes. */
function mediaChars(body: unknown): number {
  let chars = 0;
  const waiting: unknown[] = [body];
  while (waiting.length > 0) {
    const value = waiting.pop();
    if (typeof value === "string") {
      if (value.length >= MEDIA_MIN_CHARS && MEDIA.test(value)) chars += value.length;
    } else if (typeof value === "object" && value !== null) {
      for (const each of Object.values(value)) waiting.push(each);
    }
  }
  return chars;
}

function largest(places: Record<string, unknown>[], names: readonly string[]): number | null {
  const found = places.flatMap((place) => names.map((name) => place[name]));
  const numbers = found.map((one) => (typeof one === "string" ? Number(one) : one));
  const valid = numbers.filter(
    (one): one is number => typeof one === "number" && Number.isFinite(one) && one >= 1,
  );
  return valid.length === 0 ? null : Math.max(...valid);
}

function record(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
}
