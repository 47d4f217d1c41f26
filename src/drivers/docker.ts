import { strict as assert } from "node:assert";
import { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import type Docker from "dockerode";
import { AppError } from "../contract/errors.ts";
import type { DriverInfo, SandboxDriver, SandboxId, SandboxSpec, SandboxStatus } from "../core/driver.ts";
import { containerName, containerOptions, LABELS } from "./docker-container.ts";
import { endReason } from "./docker-ending.ts";
import { engineError, engineMessage, engineStatus } from "./docker-errors.ts";
import { containerEvents } from "./docker-events.ts";
import { PrintedTail } from "./printed-tail.ts";

/** How often a removal that somebody else began is looked at again before we give up. */
const REMOVAL_CHECKS = 100;
const REMOVAL_CHECK_MS = 100;

export type DockerDriverOptions = {
  docker: Docker;
  /** Names this installation in labels and container names; letters, digits, `_` and `-`. */
  installation: string;
};

type Attached = { tail: PrintedTail; stream: Readable };

/**
 * Sandboxes as containers of a Docker engine (or of Podman's compatible socket), reached by unversioned API paths.
 * Closing it lets go of the streams it reads; the containers go on.
 */
export class DockerDriver implements SandboxDriver, AsyncDisposable {
  readonly #docker: Docker;
  readonly #installation: string;
  /** One for each container that this process started and has not destroyed. */
  readonly #attached = new Map<SandboxId, Attached>();
  /** The last call of `create` for each sandbox that is being created. */
  readonly #turns = new Map<SandboxId, Promise<void>>();

  constructor(options: DockerDriverOptions) {
    assert.match(options.installation, /^[A-Za-z0-9_-]{1,64}$/);
    this.#docker = options.docker;
    this.#installation = options.installation;
  }

  async info(signal: AbortSignal): Promise<DriverInfo> {
    return this.#call("asking what it has", signal, async () => {
      const info = await abortable(this.#docker.info(), signal);
      return {
        engine: "docker",
        engine_version: String(info.ServerVersion),
        cpus: Number(info.NCPU),
        memory_bytes: Number(info.MemTotal),
        runtimes: Object.keys(info.Runtimes ?? {}),
      };
    });
  }

  async create(spec: SandboxSpec, signal: AbortSignal): Promise<void> {
    // The engine reserves a name before the container can be found by it, so two calls for one sandbox take turns.
    const turn = Promise.allSettled([this.#turns.get(spec.id)]).then(() => this.#create(spec, signal));
    this.#turns.set(spec.id, turn);
    try {
      await turn;
    } finally {
      if (this.#turns.get(spec.id) === turn) this.#turns.delete(spec.id);
    }
  }

  async #create(spec: SandboxSpec, signal: AbortSignal): Promise<void> {
    await this.#call(`starting sandbox ${spec.id}`, signal, async () => {
      // At once: a sandbox is nearly always new, and one that is not has this volume already.
      const [existing] = await Promise.all([
        this.#inspect(spec.id, signal),
        this.#ensureVolume(spec, signal),
      ]);
      if (existing !== null && existing.State.Status !== "created") return;
      if (existing === null) await this.#createContainer(spec, signal);
      await this.#start(spec.id, signal);
    });
  }

  async #ensureVolume(spec: SandboxSpec, signal: AbortSignal): Promise<void> {
    await this.#docker.createVolume({
      Name: spec.volume,
      Labels: { [LABELS.installation]: this.#installation, [LABELS.job]: spec.job_id },
      abortSignal: signal,
    });
    // The engine answers with an existing volume of that name as if it had made it.
    const volume = await this.#docker.getVolume(spec.volume).inspect({ abortSignal: signal });
    if (volume.Labels?.[LABELS.installation] !== this.#installation) {
      throw new AppError({
        code: "setup_failed",
        message: `The volume ${spec.volume} belongs to something else, so sandbox ${spec.id} may not use it.`,
      });
    }
  }

  async #createContainer(spec: SandboxSpec, signal: AbortSignal): Promise<void> {
    try {
      await this.#docker.createContainer({
        ...containerOptions(this.#installation, spec),
        abortSignal: signal,
      });
    } catch (error) {
      const status = engineStatus(error);
      // Another call for the same sandbox was faster.
      if (status === 409) return;
      if (status === 404) {
        throw new AppError({
          code: "image_missing",
          message: `The engine has no image ${spec.image} for sandbox ${spec.id}.`,
          cause: error,
        });
      }
      if (spec.runtime !== null && /runtime/i.test(engineMessage(error))) {
        throw new AppError({
          code: "setup_failed",
          message: `The engine has no runtime ${spec.runtime}: ${engineMessage(error)}`,
          hint: "Register that runtime with the engine, or remove it from the template; nothing else is used instead.",
          cause: error,
        });
      }
      throw error;
    }
  }

  async #start(id: SandboxId, signal: AbortSignal): Promise<void> {
    const container = this.#docker.getContainer(containerName(this.#installation, id));
    // Without a log driver only those who are attached before the start ever see what it prints.
    const attaching = container.attach({ stream: true, stdout: true, stderr: true });
    // Its own signal would also end the stream later. One that comes too late is let go.
    const stream = asReadable(
      await abortable(attaching, signal).catch((error: unknown) => {
        attaching.then((late) => asReadable(late).destroy(), ignore);
        throw error;
      }),
    );
    const tail = new PrintedTail();
    stream.on("error", () => tail.end());
    stream.on("end", () => tail.end());
    this.#docker.modem.demuxStream(stream, tail, tail);
    this.#attached.get(id)?.stream.destroy();
    this.#attached.set(id, { tail, stream });
    try {
      await container.start({ abortSignal: signal });
    } catch (error) {
      // 304: it runs already.
      if (engineStatus(error) === 304) return;
      this.#detach(id);
      // A container that cannot start would look like one that is about to.
      if (engineStatus(error) !== null) await container.remove({ force: true, v: true }).catch(ignoreGone);
      throw error;
    }
  }

  async destroy(id: SandboxId, options: { keep_volume: boolean }, signal: AbortSignal): Promise<void> {
    // A create whose caller gave up may still be at the engine; what it makes is removed too.
    await abortable(Promise.allSettled([this.#turns.get(id)]), signal);
    await this.#call(`removing sandbox ${id}`, signal, async () => {
      const existing = await this.#inspect(id, signal);
      this.#detach(id);
      if (existing === null) return;
      await this.#remove(existing.Id, signal);
      const volume = existing.Config.Labels[LABELS.volume];
      if (!options.keep_volume && volume !== undefined) await this.#removeVolume(volume, signal);
    });
  }

  async #remove(container_id: string, signal: AbortSignal): Promise<void> {
    const container = this.#docker.getContainer(container_id);
    for (let check = 0; check < REMOVAL_CHECKS; check += 1) {
      try {
        // `v` takes the nameless volumes that an image declares; the named one stays.
        await container.remove({ force: true, v: true, abortSignal: signal });
        return;
      } catch (error) {
        if (engineStatus(error) === 404) return;
        // 409: a removal is in progress; it is over when the container is unknown.
        if (engineStatus(error) !== 409) throw error;
        await sleep(REMOVAL_CHECK_MS, undefined, { signal });
      }
    }
    throw new AppError({
      code: "engine_unreachable",
      message: `The engine is still removing container ${container_id} after ${(REMOVAL_CHECKS * REMOVAL_CHECK_MS) / 1000} s.`,
    });
  }

  async destroyVolume(volume: string, signal: AbortSignal): Promise<void> {
    await this.#call(`removing volume ${volume}`, signal, () => this.#removeVolume(volume, signal));
  }

  async #removeVolume(name: string, signal: AbortSignal): Promise<void> {
    const volume = this.#docker.getVolume(name);
    try {
      const found = await volume.inspect({ abortSignal: signal });
      if (found.Labels?.[LABELS.installation] !== this.#installation) return;
      await volume.remove({ abortSignal: signal });
    } catch (error) {
      // 404: gone already. 409: another sandbox uses it, and it goes with that one.
      if (engineStatus(error) !== 404 && engineStatus(error) !== 409) throw error;
    }
  }

  async list(signal: AbortSignal): Promise<SandboxStatus[]> {
    return this.#call("listing sandboxes", signal, async () => {
      const label = [`${LABELS.installation}=${this.#installation}`];
      // Volumes first: one whose sandbox appears in between is then seen as used, never as left over.
      const { Volumes } = await this.#docker.listVolumes({ filters: { label }, abortSignal: signal });
      const containers = await this.#docker.listContainers({
        all: true,
        filters: { label },
        abortSignal: signal,
      });
      const statuses: SandboxStatus[] = [];
      for (const container of containers) {
        const id = container.Labels[LABELS.sandbox];
        const status = id === undefined ? null : await this.#status(id, signal);
        if (status !== null) statuses.push(status);
      }
      const used = new Set(statuses.map((status) => status.volume));
      for (const volume of Volumes ?? []) {
        if (used.has(volume.Name)) continue;
        statuses.push({
          id: null,
          job_id: volume.Labels?.[LABELS.job] ?? null,
          volume: volume.Name,
          state: "volume_only",
          exit_code: null,
          reason: null,
          printed: "",
        });
      }
      return statuses;
    });
  }

  async *watch(signal: AbortSignal): AsyncIterable<SandboxStatus> {
    try {
      for await (const event of containerEvents(this.#docker, this.#installation, signal)) {
        const status = event.action === "destroy" ? null : await this.#status(event.id, signal);
        yield status ?? {
          id: event.id,
          job_id: event.job_id,
          volume: event.volume,
          state: "absent",
          exit_code: null,
          reason: null,
          printed: this.#printed(event.id),
        };
      }
    } catch (error) {
      throw engineError(error, { doing: "watching sandboxes", code: "engine_unreachable", signal });
    }
  }

  async #status(id: SandboxId, signal: AbortSignal): Promise<SandboxStatus | null> {
    const found = await this.#inspect(id, signal);
    if (found === null) return null;
    const ended = found.State.Status === "exited" || found.State.Status === "dead";
    return {
      id,
      job_id: found.Config.Labels[LABELS.job] ?? null,
      volume: found.Config.Labels[LABELS.volume] ?? null,
      state: ended ? "exited" : found.State.Status === "created" ? "created" : "running",
      exit_code: ended ? found.State.ExitCode : null,
      reason: ended ? await endReason(this.#docker, found, signal) : null,
      printed: this.#printed(id),
    };
  }

  /** The container of a sandbox of this installation; null when there is none. */
  async #inspect(id: SandboxId, signal: AbortSignal): Promise<Docker.ContainerInspectInfo | null> {
    try {
      const container = this.#docker.getContainer(containerName(this.#installation, id));
      const found = await container.inspect({ abortSignal: signal });
      return found.Config.Labels[LABELS.installation] === this.#installation ? found : null;
    } catch (error) {
      if (engineStatus(error) === 404) return null;
      throw error;
    }
  }

  #printed(id: SandboxId): string {
    return this.#attached.get(id)?.tail.text() ?? "";
  }

  #detach(id: SandboxId): void {
    this.#attached.get(id)?.stream.destroy();
    this.#attached.delete(id);
  }

  async #call<T>(doing: string, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    signal.throwIfAborted();
    try {
      return await work();
    } catch (error) {
      throw engineError(error, { doing, code: "setup_failed", signal });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const id of [...this.#attached.keys()]) this.#detach(id);
  }
}

function ignore(): void {}

function ignoreGone(error: unknown): void {
  if (engineStatus(error) !== 404 && engineStatus(error) !== 409) throw error;
}

/** By its type an answer may be one of several streams; over HTTP it is the body of the response. */
function asReadable(stream: unknown): Readable {
  assert(stream instanceof Readable);
  return stream;
}

/** For calls of the client that take no signal; their answer is then not waited for. */
async function abortable<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const aborted = Promise.withResolvers<never>();
  const abort = () => aborted.reject(signal.reason);
  signal.addEventListener("abort", abort, { once: true });
  try {
    return await Promise.race([work, aborted.promise]);
  } finally {
    signal.removeEventListener("abort", abort);
  }
}
