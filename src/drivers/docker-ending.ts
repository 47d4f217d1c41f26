import type { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import type Docker from "dockerode";
import type { SandboxEndReason } from "../core/driver.ts";

const SIGKILLED = 137;
const SIGTERMED = 143;

/**
 * Why a container that has ended did so. `OOMKilled` alone says too little: the engine sets it at the end for any process that
 * was taken for memory before, whatever ended the container. So `oom` also needs exit 137 and nobody who asked for a kill:
 * the engine writes a `kill` event before `die` when it was asked (its API, `docker kill`, `stop` and `rm -f`), and none when
 * the kernel did it. Source: tried on engine 20.10 with cgroup v1.
 */
export async function endReason(
  docker: Docker,
  found: Docker.ContainerInspectInfo,
  signal: AbortSignal,
): Promise<SandboxEndReason> {
  const { ExitCode, OOMKilled, StartedAt } = found.State;
  if (StartedAt.startsWith("0001-")) return "start_failed";
  if (ExitCode !== SIGKILLED && ExitCode !== SIGTERMED) return "exited";
  if (ExitCode === SIGTERMED || !OOMKilled) return "killed";
  return (await wasAskedToEnd(docker, found, signal)) ? "killed" : "oom";
}

/** The engine keeps its last 256 events in memory, which is bounded and enough for an end that has just been seen. */
async function wasAskedToEnd(
  docker: Docker,
  found: Docker.ContainerInspectInfo,
  signal: AbortSignal,
): Promise<boolean> {
  const past = (await docker.getEvents({
    since: Math.floor(Date.parse(found.State.StartedAt) / 1000),
    until: Date.now() / 1000,
    filters: { container: [found.Id], event: ["kill"] },
    abortSignal: signal,
  })) as Readable;
  return (await text(past)).trim() !== "";
}
