import type { Limits } from "../contract/limits.ts";

/** Names a sandbox at its backend: `s` and 15 characters of base 32, short because it becomes part of a socket's path. */
export type SandboxId = string;

export type DriverInfo = {
  engine: string;
  engine_version: string;
  cpus: number;
  memory_bytes: number;
  runtimes: string[];
};

export type SandboxSpec = {
  id: SandboxId;
  job_id: string;
  /** Name of the volume at /home/agent; made when missing, and keeps its content when it is attached again. */
  volume: string;
  /** What `ImageSource.ensure` gave. */
  image: string;
  /** Folder on this machine that holds the sockets of this one sandbox; mounted read-only. */
  link_folder: string;
  limits: Pick<Limits, "cpus" | "memory_bytes" | "pids">;
  runtime: string | null;
};

/** Why a sandbox ended by itself. `oom`: its runner was the kernel's victim. `killed`: somebody at the engine ended it. */
export type SandboxEndReason = "oom" | "killed" | "exited" | "image_missing" | "start_failed";

export type SandboxStatus = {
  /** Null for a volume without a sandbox. */
  id: SandboxId | null;
  job_id: string | null;
  volume: string | null;
  /** `absent` appears in `watch` only: the sandbox was removed. */
  state: "created" | "running" | "exited" | "absent" | "volume_only";
  exit_code: number | null;
  reason: SandboxEndReason | null;
  /** At most 8 KiB: the end of what the container printed. Untrusted. */
  printed: string;
};

/**
 * Places sandboxes on a backend, and nothing else: what happens inside goes over the link.
 * Every method throws AppError `engine_unreachable` when the backend does not answer; that is retryable.
 */
export interface SandboxDriver {
  /** What this backend has. */
  info(signal: AbortSignal): Promise<DriverInfo>;
  /**
   * Idempotent by spec.id; attaches spec.volume, which it makes when missing. Resolves when accepted, not when the runner has linked.
   * Throws AppError `image_missing`, or `engine_unreachable`.
   */
  create(spec: SandboxSpec, signal: AbortSignal): Promise<void>;
  /** Removes the sandbox, and the volume it was given unless that is kept; resolves when they are already gone. */
  destroy(id: SandboxId, options: { keep_volume: boolean }, signal: AbortSignal): Promise<void>;
  /** Removes a volume of this installation that no sandbox uses; resolves when it is already gone. */
  destroyVolume(volume: string, signal: AbortSignal): Promise<void>;
  /** Every sandbox and every volume that bears this installation's label, known to the store or not. */
  list(signal: AbortSignal): Promise<SandboxStatus[]>;
  /** Changes from now on; may repeat, may miss: callers list again after a gap. Ends by throwing when the backend goes away. */
  watch(signal: AbortSignal): AsyncIterable<SandboxStatus>;
}
