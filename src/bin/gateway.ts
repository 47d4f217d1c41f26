import { BASE_TEMPLATE } from "../contract/config.ts";
import { modelInfo } from "../contract/model-table.ts";
import type { Dependencies, Log } from "../core/dependencies.ts";
import type { EngineHandle } from "../drivers/docker-engine.ts";
import { readMachineNetwork } from "../drivers/machine-network.ts";
import { createBroker } from "../gateway/broker/broker.ts";
import { createEgressProxy } from "../gateway/egress/proxy.ts";
import type { OutServices } from "../gateway/out-services.ts";
import { readProviders } from "./providers.ts";
import type { Settings } from "./settings.ts";

/** Variables that name files with certificates which this machine trusts. */
export const CERTIFICATE_VARIABLES = [
  "NODE_EXTRA_CA_CERTS",
  "SSL_CERT_FILE",
  "CURL_CA_BUNDLE",
  "REQUESTS_CA_BUNDLE",
  "GIT_SSL_CAINFO",
  "PIP_CERT",
];

export type Gateway = Pick<Dependencies, "providers" | "network"> & { out: OutServices } & AsyncDisposable;

/** All that sandboxes reach: the broker with the keys of the providers, and the way out by policy. */
export function openGateway(settings: Settings, { docker }: EngineHandle, log: Log): Gateway {
  const { config, environment, cache } = settings;
  const { providers, keys } = readProviders(config, environment);
  const broker = createBroker({
    providers,
    keys,
    modelInfo: (provider, model) => modelInfo(config.models, provider, model),
    // As for Node itself: proxies of the environment count only where that was asked for.
    proxy: environment.NODE_USE_ENV_PROXY === "1" ? environment : null,
    log,
  });
  const machine = readMachineNetwork({
    docker,
    image: `${BASE_TEMPLATE.image}:latest`,
    cache_folder: cache,
    npm_command: ["npm"],
    certificate_files: CERTIFICATE_VARIABLES.flatMap((name) => environment[name] || []),
    log,
  });
  // Read once now, so that the first job does not wait for npm to start.
  void machine();
  const { max_connections, max_bytes, idle_timeout_s } = config.egress;
  const egress = createEgressProxy({
    registries: async () => (await machine()).registries,
    limits: { connections: max_connections, bytes: max_bytes, idle_ms: idle_timeout_s * 1000 },
    log,
  });
  return {
    out: { models: broker.models, egress },
    providers,
    network: async () => (await machine()).network,
    [Symbol.asyncDispose]: () => broker[Symbol.asyncDispose](),
  };
}
