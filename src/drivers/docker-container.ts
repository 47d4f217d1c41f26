import type Docker from "dockerode";
import type { SandboxSpec } from "../core/driver.ts";

const MIB = 1024 * 1024;
const TMP_BYTES = 512 * MIB;
const RUN_BYTES = 16 * MIB;
const SHM_BYTES = 64 * MIB;
const OPEN_FILES = 16_384;

export const LABELS = {
  installation: "sealwork.installation",
  sandbox: "sealwork.sandbox",
  job: "sealwork.job",
  volume: "sealwork.volume",
} as const;

/** Names of two installations never meet, so that idempotence by name cannot touch a foreign container. */
export function containerName(installation: string, id: string): string {
  return `sealwork.${installation}.${id}`;
}

/**
 * The whole configuration of a sandbox's container; the hardening is the default and no option of anybody.
 * The engine's default seccomp profile, AppArmor profile, masked and read-only paths apply because nothing here changes them.
 */
export function containerOptions(installation: string, spec: SandboxSpec): Docker.ContainerCreateOptions {
  return {
    name: containerName(installation, spec.id),
    Image: spec.image,
    // Clears an image's own entrypoint, which would otherwise be put in front of the command.
    Entrypoint: [],
    Cmd: ["/opt/sealwork/bin/node", "--disable-sigusr1", "/opt/sealwork/runner.mjs"],
    User: "1000:1000",
    Hostname: "sandbox",
    // An image's health check would be run by exec inside the sandbox.
    Healthcheck: { Test: ["NONE"] },
    Labels: {
      [LABELS.installation]: installation,
      [LABELS.sandbox]: spec.id,
      [LABELS.job]: spec.job_id,
      [LABELS.volume]: spec.volume,
    },
    AttachStdin: false,
    OpenStdin: false,
    Tty: false,
    HostConfig: {
      NetworkMode: "none",
      IpcMode: "private",
      ReadonlyRootfs: true,
      Privileged: false,
      CapDrop: ["ALL"],
      SecurityOpt: ["no-new-privileges"],
      Init: false,
      RestartPolicy: { Name: "no" },
      LogConfig: { Type: "none", Config: {} },
      Memory: spec.limits.memory_bytes,
      // The same figure for both means no swap on top.
      MemorySwap: spec.limits.memory_bytes,
      NanoCpus: Math.round(spec.limits.cpus * 1e9),
      PidsLimit: spec.limits.pids,
      Ulimits: [
        { Name: "nofile", Soft: OPEN_FILES, Hard: OPEN_FILES },
        { Name: "core", Soft: 0, Hard: 0 },
      ],
      ShmSize: Math.min(SHM_BYTES, Math.floor(spec.limits.memory_bytes / 2)),
      Tmpfs: {
        // Tools build and run programs in /tmp. What lies in a tmpfs counts as memory of the sandbox.
        "/tmp": `rw,exec,nosuid,nodev,mode=1777,size=${Math.min(TMP_BYTES, Math.floor(spec.limits.memory_bytes / 2))}`,
        "/run": `rw,noexec,nosuid,nodev,mode=0755,uid=1000,gid=1000,size=${RUN_BYTES}`,
      },
      Mounts: [
        { Type: "volume", Source: spec.volume, Target: "/home/agent", ReadOnly: false },
        { Type: "bind", Source: spec.link_folder, Target: "/run/sealwork", ReadOnly: true },
      ],
      ...(spec.runtime === null ? {} : { Runtime: spec.runtime }),
    },
  };
}
