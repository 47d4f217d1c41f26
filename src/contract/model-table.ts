import type { Config, ModelConfig } from "./config.ts";

/** A model of which nothing is known: a small window, since too large a guess breaks an agent and too small a one only compacts early. */
const UNKNOWN: ModelConfig = {
  context_tokens: 128_000,
  max_output_tokens: 8_192,
  input_usd_per_million: null,
  output_usd_per_million: null,
  cached_usd_per_million: null,
};

/** Window, longest answer, and prices of input, input from a cache, and output in US dollars for a million tokens. */
type Row = readonly [
  context: number,
  output: number,
  input_usd: number,
  cached_usd: number,
  output_usd: number,
];
const MI = 1_048_576;

/**
 * Known models by the beginning of their names; the longest that fits counts, so that dated versions and previews find their model.
 * These are the ordinary prices: long prompts (above 200,000 or 272,000 tokens), audio, batches and promotions have others, for which
 * the configuration is the place.
 */
const MODELS: Record<string, Row> = {
  // ai.google.dev/gemini-api/docs/pricing as of 2026-10-07 (3.8 Flash costs half until the end of 2026), and the models' own pages.
  "gemini-3.8-flash": [MI, 65_536, 1.5, 0.15, 7.5],
  "gemini-3.5-flash": [MI, 65_536, 1.5, 0.15, 9],
  "gemini-3.5-flash-lite": [MI, 65_536, 0.3, 0.03, 2.5],
  "gemini-3.1-pro": [MI, 65_536, 2, 0.2, 12],
  "gemini-3.1-flash-lite": [MI, 65_536, 0.25, 0.025, 1.5],
  "gemini-3-flash": [MI, 65_536, 0.5, 0.05, 3],
  "gemini-2.5-pro": [MI, 65_536, 1.25, 0.125, 10],
  "gemini-2.5-flash": [MI, 65_536, 0.3, 0.03, 2.5],
  "gemini-2.5-flash-lite": [MI, 65_536, 0.1, 0.01, 0.4],
  // developers.openai.com/api/docs/models and /pricing as of 2026-11.
  "gpt-6.2-sol": [1_050_000, 128_000, 2, 0.1, 10],
  "gpt-6.1-sol": [1_050_000, 128_000, 2, 0.1, 10],
  "gpt-6-sol": [1_050_000, 128_000, 2, 0.2, 10],
  "gpt-5.5": [1_050_000, 128_000, 5, 0.5, 30],
  "gpt-5.2": [400_000, 128_000, 1.75, 0.175, 14],
  "gpt-5.1": [400_000, 128_000, 1.25, 0.125, 10],
  "gpt-5": [400_000, 128_000, 1.25, 0.125, 10],
  "gpt-5-mini": [400_000, 128_000, 0.25, 0.025, 2],
  "gpt-5-nano": [400_000, 128_000, 0.05, 0.005, 0.4],
  "gpt-4.1": [1_047_576, 32_768, 2, 0.5, 8],
  "gpt-4.1-mini": [1_047_576, 32_768, 0.4, 0.1, 1.6],
  "gpt-4o": [128_000, 16_384, 2.5, 1.25, 10],
  "gpt-4o-mini": [128_000, 16_384, 0.15, 0.075, 0.6],
  // platform.claude.com/docs/en/models as of 2026-11, and its page on pricing for what a cache gives.
  "claude-fable-5": [1_000_000, 128_000, 10, 1, 50],
  "claude-opus-5": [1_000_000, 128_000, 5, 0.5, 25],
  "claude-opus-5-5": [1_000_000, 128_000, 4, 0.2, 20],
  "claude-sonnet-5": [1_000_000, 128_000, 2, 0.2, 10],
  "claude-sonnet-4-6": [1_000_000, 64_000, 3, 0.3, 15],
  "claude-sonnet-4-5": [200_000, 64_000, 3, 0.3, 15],
  "claude-opus-4": [200_000, 32_000, 15, 1.5, 75],
  "claude-opus-4-5": [200_000, 64_000, 5, 0.5, 25],
  "claude-opus-4-6": [1_000_000, 128_000, 5, 0.5, 25],
  "claude-haiku-4-5": [200_000, 64_000, 1, 0.1, 5],
};

/** What may follow the name of a model without making it another one. */
const VERSION = /^(?:[-@:](?:[0-9]+|v[0-9]+|latest|preview|exp|chat|codex|customtools|free|thinking))*$/;

/**
 * What is known of a model: the configuration's words on `provider/model`, then on `model`, then the built-in table, then what is assumed
 * of an unknown one; field by field.
 */
export function modelInfo(configured: Config["models"], provider: string, model: string): ModelConfig {
  const info = { ...UNKNOWN, ...builtIn(model) };
  for (const name of [model, `${provider}/${model}`]) {
    const said = Object.hasOwn(configured, name) ? (configured[name] ?? {}) : {};
    for (const [field, value] of Object.entries(said)) {
      if (value !== undefined) Object.assign(info, { [field]: value });
    }
  }
  return info;
}

function builtIn(model: string): Partial<ModelConfig> {
  // Gateways such as OpenRouter put the maker's name in front.
  const name = model.slice(model.lastIndexOf("/") + 1);
  let best = "";
  for (const known of Object.keys(MODELS)) {
    // `gpt-5` is not the beginning of `gpt-5.5`, nor of `gpt-5-pro`, which costs twelve times as much.
    const fits = name.startsWith(known) && VERSION.test(name.slice(known.length));
    if (fits && known.length > best.length) best = known;
  }
  const row = MODELS[best];
  if (row === undefined) return {};
  const [context_tokens, max_output_tokens, input, cached, output] = row;
  return {
    context_tokens,
    max_output_tokens,
    input_usd_per_million: input,
    cached_usd_per_million: cached,
    output_usd_per_million: output,
  };
}
