import type { LanguageModel } from "ai";
import { DUMMY_KEY, type ModelAccess, modelBaseUrl } from "../../../../contract/models.ts";
import { patientFetch } from "./patient-fetch.ts";

/**
 * The model behind the broker, in its provider's own protocol; only that protocol's library is loaded. `base_url` is where the provider
 * answers in this sandbox.
 */
export async function loadModel(
  { protocol, provider, model }: ModelAccess,
  base_url: string = modelBaseUrl(provider),
): Promise<LanguageModel> {
  const access = { apiKey: DUMMY_KEY, fetch: patientFetch };
  if (protocol === "google") {
    const { createGoogle } = await import("@ai-sdk/google");
    return createGoogle({ baseURL: `${base_url}/v1beta`, ...access })(model);
  }
  if (protocol === "anthropic") {
    const { createAnthropic } = await import("@ai-sdk/anthropic");
    return createAnthropic({ baseURL: `${base_url}/v1`, ...access })(model);
  }
  const { createOpenAICompatible } = await import("@ai-sdk/openai-compatible");
  // Without being asked for it, a streamed answer of this protocol does not say what it used.
  return createOpenAICompatible({ name: "provider", baseURL: base_url, ...access, includeUsage: true })(
    model,
  );
}
