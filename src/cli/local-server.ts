import type { Check } from "../contract/api.ts";
import type { Progress } from "./progress.ts";

/** Where a server answers, and the token it wants; null when it wants none. */
export type Endpoint = { url: string; token: string | null };

/** The orchestrator of this machine and account. `src/bin` implements it; `local-server.fake.ts` is for tests. */
export interface LocalServer {
  /** Finds the running orchestrator, or does the set-up and starts one in the background. */
  ensure(progress: Progress, signal: AbortSignal): Promise<Endpoint>;
  /** The running one, without starting any; null when none runs. */
  find(): Promise<Endpoint | null>;
  /** Does the set-up and serves in the foreground until the signal; port null is the usual one. */
  serve(
    options: { host: string; port: number | null; no_auth: boolean },
    progress: Progress,
    signal: AbortSignal,
  ): Promise<void>;
  /** Stops the running one; `stopped` is false and `pid` null when none ran. */
  stop(signal: AbortSignal): Promise<{ stopped: boolean; pid: number | null }>;
  /** The set-up alone: engine and image. */
  setup(progress: Progress, signal: AbortSignal): Promise<void>;
  /** What works on this machine and what does not; needs no server. */
  doctor(signal: AbortSignal): Promise<Check[]>;
}
