import { createHash } from "node:crypto";
import { access, readFile } from "node:fs/promises";
import { join } from "node:path";
import Docker from "dockerode";
import { z } from "zod";
import { AppError } from "../contract/errors.ts";

/** How long one candidate may take to answer; a socket of a dead machine may never do. */
const ANSWER_MS = 5_000;

export type EngineHandle = {
  docker: Docker;
  /** Where it was found, for people. */
  found_at: string;
  /** The engine's own id, which a result about this engine may be kept under. */
  id: string;
  version: string;
};

export type EngineOptions = {
  environment: Record<string, string | undefined>;
  home: string;
};

type Candidate = { found_at: string; address: string };

/**
 * Finds a container engine: DOCKER_HOST, the current Docker context, the Docker socket, rootless Docker, then Podman's sockets.
 * A DOCKER_HOST that does not work is an error and not passed over, because somebody chose it.
 * Throws AppError `engine_missing` with a reason for each candidate that exists but fails, `engine_not_local` for an address
 * of another machine, `engine_unreachable` for a DOCKER_HOST that does not answer.
 */
export async function findEngine(options: EngineOptions, signal: AbortSignal): Promise<EngineHandle> {
  const chosen = options.environment.DOCKER_HOST;
  if (chosen !== undefined && chosen !== "") {
    const tried = await tryEngine({ found_at: "DOCKER_HOST", address: chosen }, signal);
    if (typeof tried !== "string") return tried;
    throw new AppError({
      code: "engine_unreachable",
      message: `The engine at DOCKER_HOST (${chosen}) cannot be used: ${tried}.`,
      hint: "Mend that, or unset DOCKER_HOST so that other engines are looked for.",
    });
  }
  const reasons: string[] = [];
  for (const candidate of await candidates(options)) {
    signal.throwIfAborted();
    if (!(await exists(candidate))) continue;
    const tried = await tryEngine(candidate, signal);
    if (typeof tried !== "string") return tried;
    reasons.push(`${candidate.found_at} (${candidate.address}): ${tried}`);
  }
  throw new AppError({
    code: "engine_missing",
    message:
      reasons.length === 0
        ? "No container engine was found on this machine."
        : `No container engine could be used. ${reasons.join("; ")}.`,
    hint: "Start the engine, or install one, for example: sudo apt-get install docker.io iptables",
  });
}

async function candidates({ environment, home }: EngineOptions): Promise<Candidate[]> {
  const runtime = environment.XDG_RUNTIME_DIR;
  const context = await currentContext(environment, home);
  const sockets: [string, string | null][] = [
    ["the Docker socket", "/var/run/docker.sock"],
    ["rootless Docker", runtime ? join(runtime, "docker.sock") : null],
    ["Podman", "/run/podman/podman.sock"],
    ["rootless Podman", runtime ? join(runtime, "podman/podman.sock") : null],
  ];
  const found = sockets.flatMap(([found_at, path]) =>
    path === null ? [] : [{ found_at, address: `unix://${path}` }],
  );
  return context === null ? found : [context, ...found];
}

const DockerConfig = z.object({ currentContext: z.string().optional() });
const ContextMeta = z.object({ Endpoints: z.object({ docker: z.object({ Host: z.string() }) }) });

/** Source: docs.docker.com, "Docker contexts": metadata lies under the SHA-256 of the context's name. */
async function currentContext(
  environment: EngineOptions["environment"],
  home: string,
): Promise<Candidate | null> {
  const folder = environment.DOCKER_CONFIG || join(home, ".docker");
  const config = DockerConfig.safeParse(await readJson(join(folder, "config.json")));
  const name = environment.DOCKER_CONTEXT || config.data?.currentContext;
  if (!name || name === "default") return null;
  const hash = createHash("sha256").update(name).digest("hex");
  const meta = ContextMeta.safeParse(await readJson(join(folder, "contexts/meta", hash, "meta.json")));
  if (!meta.success) return null;
  return { found_at: `the Docker context ${name}`, address: meta.data.Endpoints.docker.Host };
}

/** Null when there is no such file or it is not JSON: both mean that Docker's own settings say nothing. */
async function readJson(file: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(file, "utf8"));
  } catch {
    return null;
  }
}

async function exists({ address }: Candidate): Promise<boolean> {
  if (!address.startsWith("unix://")) return true;
  try {
    await access(address.slice("unix://".length));
    return true;
  } catch (error) {
    // A folder that may not be entered is a reason to tell, not a socket that is not there.
    return error instanceof Error && "code" in error && error.code === "EACCES";
  }
}

/** A handle, or why that engine cannot be used. */
async function tryEngine(
  { found_at, address }: Candidate,
  signal: AbortSignal,
): Promise<EngineHandle | string> {
  const docker = connect(address);
  const timeout = AbortSignal.timeout(ANSWER_MS);
  const either = AbortSignal.any([signal, timeout]);
  const aborted = Promise.withResolvers<never>();
  const abort = () => aborted.reject(either.reason);
  either.addEventListener("abort", abort, { once: true });
  try {
    const [info, version] = await Promise.race([
      Promise.all([docker.info(), docker.version()]),
      aborted.promise,
    ]);
    return { docker, found_at, id: String(info.ID ?? address), version: version.Version };
  } catch (error) {
    signal.throwIfAborted();
    return whyNot(error, timeout.aborted, address);
  } finally {
    either.removeEventListener("abort", abort);
  }
}

function connect(address: string): Docker {
  // The client would otherwise take a host from DOCKER_HOST by itself and leave the socket aside.
  if (address.startsWith("unix://")) {
    return new Docker({ socketPath: address.slice("unix://".length), host: undefined });
  }
  const url = URL.canParse(address) ? new URL(address) : null;
  if (url?.protocol === "tcp:" || url?.protocol === "http:") {
    return new Docker({ protocol: "http", host: url.hostname, port: url.port || 2375 });
  }
  throw new AppError({
    code: "engine_not_local",
    message: `The container engine at ${address} is not one that shares sockets with this machine.`,
    hint: "Use an engine on this machine, by its unix socket: DOCKER_HOST=unix:///var/run/docker.sock",
  });
}

function whyNot(error: unknown, timed_out: boolean, address: string): string {
  if (timed_out) return `it did not answer within ${ANSWER_MS / 1000} s; restart it`;
  const code = error instanceof Error && "code" in error ? error.code : null;
  if (code === "EACCES") {
    return 'permission denied; add yourself to its group: sudo usermod -aG docker "$USER", then sign in again';
  }
  if (!address.startsWith("unix://"))
    return `${error instanceof Error ? error.message : String(error)}; Sealwork needs an engine of this machine, by its unix socket`;
  if (code === "ECONNREFUSED")
    return "the socket is there, but no engine listens; start it: sudo systemctl start docker";
  if (code === "ENOENT") return "there is no such socket";
  return error instanceof Error ? error.message : String(error);
}
