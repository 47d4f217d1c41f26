import type { Check, Provider } from "../contract/api.ts";
import type { Config } from "../contract/config.ts";
import type { NetworkSettings } from "../contract/link.ts";
import type { Artifacts } from "./artifacts.ts";
import type { Clock } from "./clock.ts";
import type { SandboxDriver, SandboxId } from "./driver.ts";
import type { ImageSource } from "./images.ts";
import type { LinkListener } from "./link.ts";
import type { Store } from "./store.ts";

/** Where new names come from. */
export interface Names {
  /** UUID version 7. */
  job_id(): string;
  sandbox_id(): SandboxId;
  /** At least 128 random bits as text. */
  secret(): string;
}

/** What happened that is nobody's answer: faults of ours and of the world, with their cause. Never carries env or tokens. */
export type Log = (
  level: "info" | "warn" | "error",
  message: string,
  detail?: Record<string, unknown>,
) => void;

/** All of the world that core touches. */
export type Dependencies = {
  config: Config;
  /** Jobs at work at the same time. */
  concurrency: number;
  /** Names this orchestrator in the rows it owns. */
  owner: string;
  store: Store;
  driver: SandboxDriver;
  images: ImageSource;
  links: LinkListener;
  artifacts: Artifacts;
  clock: Clock;
  names: Names;
  /** Providers of models that are configured, in order of preference; their keys stay with the broker. */
  providers: readonly Provider[];
  /** What the tools in a sandbox need to know of the machine's network settings. */
  network: () => Promise<NetworkSettings>;
  /** What works on this machine and how to mend what does not. */
  doctor: (signal: AbortSignal) => Promise<Check[]>;
  log: Log;
};
