import { once } from "node:events";
import { AppError } from "../contract/errors.ts";
import type {
  DriverInfo,
  SandboxDriver,
  SandboxEndReason,
  SandboxId,
  SandboxSpec,
  SandboxStatus,
} from "../core/driver.ts";

const GIB = 1024 ** 3;
/** Changes that a watcher has not taken yet; one that is further behind has missed some, as the interface allows. */
const UNREAD_CHANGES = 1000;

type Watcher = { installation: string; changes: SandboxStatus[]; signal: AbortSignal; wake: EventTarget };
type Sandbox = { installation: string; spec: SandboxSpec; status: SandboxStatus };
type Volume = { installation: string; job_id: string };

/** The backend of fake drivers, in memory; tests end sandboxes, take images away and stop the engine here. */
export class FakeBackend {
  readonly sandboxes = new Map<SandboxId, Sandbox>();
  readonly volumes = new Map<string, Volume>();
  readonly watchers = new Set<Watcher>();
  /** Null: every image is there. */
  images: Set<string> | null = null;
  #reachable = true;

  /** Ends a running sandbox by itself. */
  end(id: SandboxId, ending: { exit_code: number; reason: SandboxEndReason; printed?: string }): void {
    const sandbox = this.sandboxes.get(id);
    if (sandbox === undefined || sandbox.status.state !== "running") return;
    sandbox.status = { ...sandbox.status, ...ending, printed: ending.printed ?? "", state: "exited" };
    this.tell(sandbox.installation, sandbox.status);
  }

  exit(id: SandboxId, exit_code: number): void {
    this.end(id, { exit_code, reason: "exited" });
  }

  /** The kernel takes the runner for memory. */
  oom(id: SandboxId): void {
    this.end(id, { exit_code: 137, reason: "oom" });
  }

  /** While it is away every call and every watch throws `engine_unreachable`; sandboxes live on. */
  setReachable(reachable: boolean): void {
    this.#reachable = reachable;
    for (const watcher of this.watchers) watcher.wake.dispatchEvent(new Event("change"));
  }

  check(signal: AbortSignal): void {
    signal.throwIfAborted();
    if (this.#reachable) return;
    throw new AppError({ code: "engine_unreachable", message: "The fake engine does not answer." });
  }

  tell(installation: string, status: SandboxStatus): void {
    for (const watcher of this.watchers) {
      if (watcher.installation !== installation) continue;
      if (watcher.changes.length < UNREAD_CHANGES) watcher.changes.push(status);
      watcher.wake.dispatchEvent(new Event("change"));
    }
  }
}

/** A driver for tests of what stands on drivers; passes the same contract suite as the real one. */
export function createFakeDriver(
  backend: FakeBackend,
  installation = "fake",
): SandboxDriver & AsyncDisposable {
  const own = (id: SandboxId): Sandbox | undefined => {
    const sandbox = backend.sandboxes.get(id);
    return sandbox?.installation === installation ? sandbox : undefined;
  };
  const removeVolume = (name: string): void => {
    const used = [...backend.sandboxes.values()].some(({ spec }) => spec.volume === name);
    if (!used && backend.volumes.get(name)?.installation === installation) backend.volumes.delete(name);
  };
  const closed = new AbortController();
  return {
    async info(signal): Promise<DriverInfo> {
      backend.check(signal);
      return { engine: "fake", engine_version: "1", cpus: 4, memory_bytes: 8 * GIB, runtimes: ["runc"] };
    },
    async create(spec, signal) {
      backend.check(signal);
      if (own(spec.id) !== undefined) return;
      if (backend.images?.has(spec.image) === false) {
        throw new AppError({ code: "image_missing", message: `The fake engine has no image ${spec.image}.` });
      }
      const volume = backend.volumes.get(spec.volume) ?? { installation, job_id: spec.job_id };
      backend.volumes.set(spec.volume, volume);
      const status: SandboxStatus = {
        id: spec.id,
        job_id: spec.job_id,
        volume: spec.volume,
        state: "running",
        exit_code: null,
        reason: null,
        printed: "",
      };
      backend.sandboxes.set(spec.id, { installation, spec, status });
      backend.tell(installation, status);
    },
    async destroy(id, options, signal) {
      backend.check(signal);
      const sandbox = own(id);
      if (sandbox === undefined) return;
      backend.sandboxes.delete(id);
      if (!options.keep_volume) removeVolume(sandbox.spec.volume);
      backend.tell(installation, { ...sandbox.status, state: "absent", exit_code: null, reason: null });
    },
    async destroyVolume(volume, signal) {
      backend.check(signal);
      removeVolume(volume);
    },
    async list(signal) {
      backend.check(signal);
      const statuses = [...backend.sandboxes.values()]
        .filter((sandbox) => sandbox.installation === installation)
        .map((sandbox) => sandbox.status);
      const used = new Set(statuses.map((status) => status.volume));
      for (const [volume, { installation: owner, job_id }] of backend.volumes) {
        if (owner !== installation || used.has(volume)) continue;
        const alone = { id: null, job_id, volume, exit_code: null, reason: null, printed: "" };
        statuses.push({ ...alone, state: "volume_only" });
      }
      return statuses;
    },
    async *watch(signal) {
      const ended = AbortSignal.any([signal, closed.signal]);
      const watcher: Watcher = { installation, changes: [], signal: ended, wake: new EventTarget() };
      backend.watchers.add(watcher);
      try {
        while (true) {
          backend.check(ended);
          const change = watcher.changes.shift();
          if (change !== undefined) yield change;
          else await once(watcher.wake, "change", { signal: ended });
        }
      } finally {
        backend.watchers.delete(watcher);
      }
    },
    async [Symbol.asyncDispose]() {
      closed.abort();
    },
  };
}
