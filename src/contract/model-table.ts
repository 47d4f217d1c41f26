import type { ModelConfig } from "./config.ts";

/** A model of which nothing is known: a small window, since too large a guess breaks an agent and too small a one only compacts early. */
const UNKNOWN: ModelConfig = {
  context_tokens: 128_000,
  max_output_tokens: 8_192,
  input_usd_per_million: null,
  output_usd_per_million: null,
  cached_usd_per_million: null,
};

/** What is known of a model: what the configuration says, completed by the built-in table. */
export function modelInfo(
  configured: Readonly<Record<string, Partial<ModelConfig>>>,
  provider: string,
  model: string,
): ModelConfig {
  return { ...UNKNOWN, ...configured[model], ...configured[`${provider}/${model}`] };
}
