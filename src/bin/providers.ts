import type { Provider } from "../contract/api.ts";
import type { Config, ProviderConfig } from "../contract/config.ts";
import { AppError } from "../contract/errors.ts";
import type { Protocol } from "../contract/models.ts";

type Environment = Record<string, string | undefined>;
/** `keys` are the broker's alone; everything else about a provider may be shown. */
export type Providers = { providers: Provider[]; keys: Map<string, string> };

/** Where the protocols' own providers answer, and the variables that people have for them. */
const OWN: Record<Protocol, { base_url: string; key: string; url: string; default_model: string | null }> = {
  google: {
    base_url: "https://generativelanguage.googleapis.com",
    key: "GEMINI_API_KEY",
    url: "GOOGLE_GEMINI_BASE_URL",
    default_model: "gemini-2.5-pro",
  },
  openai: {
    base_url: "https://api.openai.com/v1",
    key: "OPENAI_API_KEY",
    url: "OPENAI_BASE_URL",
    default_model: null,
  },
  anthropic: {
    base_url: "https://api.anthropic.com",
    key: "ANTHROPIC_API_KEY",
    url: "ANTHROPIC_BASE_URL",
    default_model: null,
  },
};

/**
 * The providers that environment variables and configuration name, those of the environment first. A provider of the configuration that
 * has the name of one of those completes it. Throws AppError `invalid_config`.
 */
export function readProviders(config: Config, environment: Environment): Providers {
  const found: Providers = { providers: [], keys: new Map() };
  const given = new Map<string, ProviderConfig>(Object.entries(config.providers));
  for (const [protocol, own] of Object.entries(OWN) as [Protocol, (typeof OWN)[Protocol]][]) {
    const key = environment[own.key] || null;
    const url = environment[own.url] || null;
    if (key === null && url === null) continue;
    const configured = given.get(protocol);
    given.delete(protocol);
    const default_model = url === null || protocol === "google" ? own.default_model : null;
    add(found, protocol, {
      protocol: configured?.protocol ?? protocol,
      base_url: configured?.base_url ?? url,
      api_key: configured === undefined ? key : (keyOf(configured, environment) ?? key),
      api_key_env: null,
      default_model: configured?.default_model ?? default_model,
    });
  }
  for (const [name, provider] of given)
    add(found, name, { ...provider, api_key: keyOf(provider, environment), api_key_env: null });
  return found;
}

function keyOf({ api_key, api_key_env }: ProviderConfig, environment: Environment): string | null {
  return api_key ?? (api_key_env === null ? null : environment[api_key_env] || null);
}

function add(found: Providers, name: string, { protocol, base_url, api_key, default_model }: ProviderConfig) {
  const address = base_url ?? OWN[protocol].base_url;
  const url = URL.parse(address);
  if (url === null || !/^https?:$/.test(url.protocol))
    throw new AppError({
      code: "invalid_config",
      message: `The base URL of the provider ${name} is no http or https address.`,
    });
  if (url.username !== "" || url.password !== "")
    throw new AppError({
      code: "invalid_config",
      message: `The base URL of the provider ${name} has credentials in it.`,
      hint: "Give the key by api_key_env, or by the provider's own variable.",
    });
  found.providers.push({
    name,
    protocol,
    base_url: address.replace(/\/+$/, ""),
    has_key: api_key !== null,
    default_model,
  });
  if (api_key !== null) found.keys.set(name, api_key);
}
