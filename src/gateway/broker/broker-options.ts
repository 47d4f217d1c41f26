import type { Provider } from "../../contract/api.ts";
import type { ModelConfig } from "../../contract/config.ts";
import type { Log } from "../../core/dependencies.ts";
import type { RequestBodies } from "./request-bodies.ts";
import type { Pace } from "./retry.ts";
import type { Upstream } from "./upstream.ts";

export type BrokerOptions = {
  providers: readonly Provider[];
  /** By the provider's name. They go to the provider of that name and nowhere else. */
  keys: ReadonlyMap<string, string>;
  modelInfo: (provider: string, model: string) => ModelConfig;
  log: Log;
  /** The variables of the environment that name a proxy, where providers are reached through one. */
  proxy?: Record<string, string | undefined> | null;
  pace?: Partial<Pace>;
};

/** What all calls of one broker share. */
export type BrokerDeps = BrokerOptions & { upstream: Upstream; pace: Pace; bodies: RequestBodies };
