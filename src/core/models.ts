import type { AgentCli } from "../contract/agent-cli.ts";
import type { Provider } from "../contract/api.ts";
import type { Config, ModelConfig } from "../contract/config.ts";
import { modelInfo } from "../contract/model-table.ts";
import type { ModelAccess, Protocol } from "../contract/models.ts";

export type Configured = { config: Config; providers: readonly Provider[] };
export type ChosenModel = { provider: Provider; model: string };

/**
 * The model that a job works with: `wanted` (`model` or `provider/model`), else the configured default, else that of the first provider
 * that has one. With `protocol` only providers that speak it count. Null when there is none.
 */
export function chooseModel(
  wanted: string | null,
  protocol: Protocol | null,
  { config, providers }: Configured,
): ChosenModel | null {
  const usable = providers.filter((one) => protocol === null || one.protocol === protocol);
  const preferred =
    config.default_model === null ? null : defaultModel(config.default_model, usable, providers);
  if (wanted !== null) {
    const exact = named(wanted, usable);
    if (exact !== null) return exact;
    const provider = preferred?.provider ?? usable.find((one) => one.default_model !== null) ?? usable[0];
    return provider === undefined ? null : { provider, model: wanted };
  }
  if (preferred !== null) return preferred;
  for (const provider of usable)
    if (provider.default_model !== null) return { provider, model: provider.default_model };
  return null;
}

/** What is plainly wrong with the name of a model, before anything runs for it; null when its provider may know it. */
export function modelFault(
  wanted: string | null,
  { provider, model }: ChosenModel,
  providers: readonly Provider[],
): string | null {
  if (model === "") return `"${wanted}" names a provider but no model.`;
  const other = wanted === null ? null : named(wanted, providers);
  if (other !== null && other.provider.name !== provider.name)
    return `The provider ${other.provider.name} speaks the ${other.provider.protocol} protocol, and the agent needs one that speaks ${provider.protocol}.`;
  // Names of other protocols' models may have slashes.
  if (provider.protocol !== "google" || !model.includes("/")) return null;
  const known = providers.map(({ name }) => name).join(", ");
  return `There is no provider ${JSON.stringify(model.split("/", 1)[0])}; there are: ${known}.`;
}

/** A default without a provider in front is a model of the first one. */
function defaultModel(
  text: string,
  usable: readonly Provider[],
  all: readonly Provider[],
): ChosenModel | null {
  const exact = named(text, usable);
  const [first] = usable;
  if (exact !== null || first === undefined || named(text, all) !== null) return exact;
  return { provider: first, model: text };
}

export function modelName({ provider, model }: ChosenModel): string {
  return `${provider.name}/${model}`;
}

export function modelAccess({ provider, model }: ChosenModel, config: Config): ModelAccess {
  const { context_tokens, max_output_tokens } = modelInfo(config.models, provider.name, model);
  return { provider: provider.name, protocol: provider.protocol, model, context_tokens, max_output_tokens };
}

/** Cost in US dollars; null for a model whose price is not known. Input that came from a cache is part of `input_tokens`. */
export function costOf(
  price: ModelConfig,
  tokens: { input_tokens: number; cached_tokens: number; output_tokens: number },
): number | null {
  const { input_usd_per_million, output_usd_per_million, cached_usd_per_million } = price;
  if (input_usd_per_million === null || output_usd_per_million === null) return null;
  const cached = Math.min(tokens.cached_tokens, tokens.input_tokens);
  const input = (tokens.input_tokens - cached) * input_usd_per_million;
  const from_cache = cached * (cached_usd_per_million ?? input_usd_per_million);
  return (input + from_cache + tokens.output_tokens * output_usd_per_million) / 1_000_000;
}

/** `provider/model` where the first part is a provider that there is; a model's own name may have slashes too. */
function named(text: string, providers: readonly Provider[]): ChosenModel | null {
  const slash = text.indexOf("/");
  if (slash < 1) return null;
  const provider = providers.find(({ name }) => name === text.slice(0, slash));
  return provider === undefined ? null : { provider, model: text.slice(slash + 1) };
}

/** The agent CLI of this name; null for Sealwork's own agents and for a name of nobody. A name such as `constructor` is on every object. */
export function cliOf(agent: string, { agents }: Pick<Config, "agents">): AgentCli | null {
  return Object.hasOwn(agents, agent) ? (agents[agent] ?? null) : null;
}
