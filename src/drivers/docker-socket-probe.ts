import { once } from "node:events";
import { chmod, mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { AppError } from "../contract/errors.ts";
import type { EngineHandle } from "./docker-engine.ts";
import { engineError, engineMessage } from "./docker-errors.ts";

const PROBE_MS = 30_000;
/** Runs inside: 0 when the socket answers. */
const DIAL = `require("net").connect("/run/sealwork/s").on("connect",()=>process.exit(0)).on("error",()=>process.exit(9))`;

/**
 * Finds out whether a unix socket in a folder of this machine can be reached from a container that has the folder mounted.
 * `image` is any image made with Sealwork's setup; `folder` lies where the sockets of sandboxes will. The caller keeps a good
 * result under the engine's id and the folder. Throws AppError `engine_not_local` when the socket cannot be reached.
 */
export async function probeSharedSockets(
  engine: EngineHandle,
  image: string,
  folder: string,
  signal: AbortSignal,
): Promise<void> {
  const timeout = AbortSignal.timeout(PROBE_MS);
  const either = AbortSignal.any([signal, timeout]);
  const probe = await mkdtemp(join(folder, "p"));
  const server = createServer((socket) => socket.destroy());
  try {
    await chmod(probe, 0o755);
    server.listen({ path: join(probe, "s"), writableAll: true });
    await once(server, "listening", { signal: either });
    const reached = await dialFromContainer(engine, image, probe, either);
    if (reached === null) return;
    throw new AppError({
      code: "engine_not_local",
      message: `The container engine (${engine.found_at}) does not share sockets in a mounted folder with this machine: ${reached}.`,
      hint: "Use an engine that runs on this Linux machine itself, not in a virtual machine (Docker Desktop) or elsewhere.",
    });
  } catch (error) {
    signal.throwIfAborted();
    if (!timeout.aborted) throw error;
    throw new AppError({
      code: "setup_failed",
      message: `The container engine (${engine.found_at}) did not run a container that looks for a socket within ${PROBE_MS / 1000} s.`,
      hint: "Look at the engine's log, restart the engine, then run this again.",
      cause: error,
    });
  } finally {
    server.close();
    await rm(probe, { recursive: true, force: true });
  }
}

/** Null when the socket was reached, else why not. */
async function dialFromContainer(
  { docker }: EngineHandle,
  image: string,
  folder: string,
  signal: AbortSignal,
): Promise<string | null> {
  const doing = "probing a mounted socket";
  const container = await docker
    .createContainer({
      Image: image,
      Entrypoint: [],
      Cmd: ["/opt/sealwork/bin/node", "-e", DIAL],
      User: "1000:1000",
      Healthcheck: { Test: ["NONE"] },
      HostConfig: {
        NetworkMode: "none",
        ReadonlyRootfs: true,
        CapDrop: ["ALL"],
        SecurityOpt: ["no-new-privileges"],
        LogConfig: { Type: "none", Config: {} },
        Mounts: [{ Type: "bind", Source: folder, Target: "/run/sealwork", ReadOnly: true }],
      },
      abortSignal: signal,
    })
    .catch((error: unknown) => {
      // An engine elsewhere does not know the folder.
      if (/bind source path does not exist/.test(engineMessage(error))) return null;
      throw engineError(error, { doing, code: "setup_failed", signal });
    });
  if (container === null) return "it does not see the folder";
  try {
    await container.start({ abortSignal: signal });
    const { StatusCode } = await container.wait({ abortSignal: signal });
    if (StatusCode === 0) return null;
    return StatusCode === 9
      ? "the socket does not answer there"
      : `the probe ended with exit code ${StatusCode}`;
  } catch (error) {
    throw engineError(error, { doing, code: "setup_failed", signal });
  } finally {
    await container.remove({ force: true, v: true });
  }
}
