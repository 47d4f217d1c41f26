import { BASE_TEMPLATE } from "../contract/config.ts";
import type { Dependencies, Log } from "../core/dependencies.ts";
import { readMachineNetwork } from "../drivers/machine-network.ts";
import { createEgressProxy } from "../gateway/egress/proxy.ts";
import type { OutServices } from "../gateway/out-services.ts";
import type { Ready } from "./set-up.ts";
import type { Settings } from "./settings.ts";

/** The way out of sandboxes, and what programs in them are told of this machine's network settings: both know the same registries. */
export function createEgress(
  settings: Settings,
  { engine }: Pick<Ready, "engine">,
  log: Log,
): { egress: OutServices["egress"]; network: Dependencies["network"] } {
  const { environment, config, cache } = settings;
  const { max_connections, max_bytes, idle_timeout_s } = config.egress;
  const machine = readMachineNetwork({
    docker: engine.docker,
    image: `${BASE_TEMPLATE.image}:latest`,
    cache_folder: cache,
    npm_command: ["npm"],
    certificate_files: [environment.NODE_EXTRA_CA_CERTS ?? "", environment.SSL_CERT_FILE ?? ""].filter(
      Boolean,
    ),
    log,
  });
  // Read ahead, so that the first job need not wait for three programs to say their settings.
  void machine();
  return {
    egress: createEgressProxy({
      registries: async () => (await machine()).registries,
      limits: { connections: max_connections, bytes: max_bytes, idle_ms: idle_timeout_s * 1000 },
      log,
    }),
    network: async () => (await machine()).network,
  };
}
