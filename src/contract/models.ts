// In the small form of the schema library: the runner, which starts anew for every job, builds what stands here.
import * as z from "zod/mini";

/** The forms in which providers of models are spoken to: Google's Gemini API, OpenAI's, Anthropic's. */
export const PROTOCOLS = ["google", "openai", "anthropic"] as const;
export const Protocol = z.enum(PROTOCOLS);
export type Protocol = z.infer<typeof Protocol>;

/** What an agent is told of the model that it works with. It holds no key and no address outside: the broker knows these. */
export const ModelAccess = z.object({
  /** The provider's name in the configuration; the first part of the path at MODEL_PORT. */
  provider: z.string(),
  protocol: Protocol,
  /** As the provider knows it. */
  model: z.string(),
  /** The window of the model: what a request and its answer may hold in all. */
  context_tokens: z.int(),
  max_output_tokens: z.int(),
});
export type ModelAccess = z.infer<typeof ModelAccess>;

/** Loopback ports inside a sandbox, served by the runner. Fixed, so that addresses hold over a restart of the runner; below Linux' ephemeral range. */
export const MODEL_PORT = 24_801;
export const EGRESS_PORT = 24_802;

/**
 * Where a provider answers inside a sandbox. What follows it is what follows the provider's own base URL: `/v1beta/models/…` for google,
 * `/chat/completions` for openai, `/v1/messages` for anthropic.
 */
export function modelBaseUrl(provider: string): string {
  return `http://127.0.0.1:${MODEL_PORT}/${provider}`;
}

/** SDKs and agent CLIs want a key; the broker puts the real one in its place. */
export const DUMMY_KEY = "sealwork";
