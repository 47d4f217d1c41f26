import type { Provider } from "../contract/api.ts";
import type { Config, ProviderConfig } from "../contract/config.ts";
import { AppError } from "../contract/errors.ts";
import type { Protocol } from "../contract/models.ts";

type Environment = Record<string, string | undefined>;

const DEFAULT_BASE_URL: Record<Protocol, string> = {
  google: "https://generativelanguage.googleapis.com",
  openai: "https://api.openai.com/v1",
  anthropic: "https://api.anthropic.com",
};

/** What people have in their environment for each protocol's own provider, in order of preference. */
const FROM_ENVIRONMENT: readonly { protocol: Protocol; key: string; base_url: string }[] = [
  { protocol: "google", key: "GEMINI_API_KEY", base_url: "GOOGLE_GEMINI_BASE_URL" },
  { protocol: "openai", key: "OPENAI_API_KEY", base_url: "OPENAI_BASE_URL" },
  { protocol: "anthropic", key: "ANTHROPIC_API_KEY", base_url: "ANTHROPIC_BASE_URL" },
];

/**
 * Good models for an agent at the providers' own addresses. Google's: the newest stable Flash (ai.google.dev/gemini-api/docs/models,
 * 2026-10). OpenAI's: the newest family that takes function calls by Chat Completions without being told an effort
 * (developers.openai.com/api/docs/models: GPT-6 does so only with the effort `none`). Anthropic's: the one for speed and intelligence
 * (platform.claude.com/docs/en/models, 2026-11).
 */
const DEFAULT_MODEL: Record<Protocol, string> = {
  google: "gemini-3.8-flash",
  openai: "gpt-5.2",
  anthropic: "claude-sonnet-5-5",
};

export type Providers = {
  /** In order of preference: those of the configuration as they stand there, then those of the environment. */
  providers: Provider[];
  /** By the provider's name; for the broker alone. */
  keys: Map<string, string>;
};

/**
 * The providers of models that configuration and environment name. One of the configuration that is called google, openai or anthropic
 * takes from the environment what it does not say itself. Throws AppError `invalid_config`.
 */
export function readProviders(config: Pick<Config, "providers">, environment: Environment): Providers {
  const providers: Provider[] = [];
  const keys = new Map<string, string>();
  for (const [name, given] of Object.entries(merged(config.providers, environment))) {
    const key = keyOf(name, given, environment);
    if (key !== null) keys.set(name, key);
    providers.push({
      name,
      protocol: given.protocol,
      base_url: baseUrl(name, given.base_url ?? DEFAULT_BASE_URL[given.protocol]),
      has_key: key !== null,
      default_model: given.default_model ?? defaultModel(given),
    });
  }
  return { providers, keys };
}

function merged(configured: Config["providers"], environment: Environment): Record<string, ProviderConfig> {
  const all: Record<string, ProviderConfig> = { ...configured };
  for (const { protocol, key, base_url } of FROM_ENVIRONMENT) {
    const found = {
      api_key: said(environment[key]),
      base_url: said(environment[base_url]),
    };
    if (found.api_key === null && found.base_url === null) continue;
    const given = configured[protocol];
    // The address and the key of one provider belong together: a configured one of another protocol is somebody else of that name.
    if (given !== undefined && given.protocol !== protocol) continue;
    // Of Google and Anthropic alone an address without a key says nothing that works; an address alone suffices for Ollama and the like.
    all[protocol] = {
      protocol,
      base_url: given?.base_url ?? found.base_url,
      api_key: given?.api_key ?? (given?.api_key_env == null ? found.api_key : null),
      api_key_env: given?.api_key_env ?? null,
      default_model: given?.default_model ?? null,
    };
  }
  return all;
}

/** None where the address is not the protocol's own: nobody knows what is served there. Google's and Anthropic's names hold at their proxies. */
function defaultModel({ protocol, base_url }: ProviderConfig): string | null {
  return protocol === "openai" && base_url !== null ? null : DEFAULT_MODEL[protocol];
}

function keyOf(
  name: string,
  { api_key, api_key_env }: ProviderConfig,
  environment: Environment,
): string | null {
  const key = api_key ?? (api_key_env === null ? null : said(environment[api_key_env]));
  if (api_key === null && api_key_env !== null && key === null)
    throw invalid(`the provider ${name} takes its key from ${api_key_env}, which is not set`);
  // What cannot stand in a header would fail at every call, with the key in the platform's message.
  if (key !== null && !/^[\x21-\x7e]+$/.test(key))
    throw invalid(`the key of the provider ${name} has characters that no key has, such as spaces`);
  return key;
}

function baseUrl(name: string, text: string): string {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url === null || !/^https?:$/.test(url.protocol))
    throw invalid(`the base URL of the provider ${name} is no http or https address`);
  if (url.username !== "" || url.password !== "")
    throw invalid(`the base URL of the provider ${name} has credentials in it; put the key into api_key_env`);
  if (url.search !== "" || url.hash !== "")
    throw invalid(
      `the base URL of the provider ${name} has a query or a fragment, after which no path can follow`,
    );
  return url.href.replace(/\/+$/, "");
}

function said(value: string | undefined): string | null {
  const text = value?.trim() ?? "";
  return text === "" ? null : text;
}

function invalid(what: string): AppError {
  return new AppError({
    code: "invalid_config",
    message: `The providers of models are not valid: ${what}.`,
    hint: "docs/configuration.md shows how providers are configured.",
  });
}
