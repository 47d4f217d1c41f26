import { randomBytes, randomUUIDv7 } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { pack } from "tar-stream";
import { openFolderArtifacts } from "../artifacts/folder.ts";
import type { Provider } from "../contract/api.ts";
import { Config } from "../contract/config.ts";
import { AppError } from "../contract/errors.ts";
import type { RunnerEventBody } from "../contract/event.ts";
import { LINK_PROTOCOL, type Start } from "../contract/link.ts";
import { openLinkListener } from "../gateway/link.ts";
import type { OutServices } from "../gateway/out-services.ts";
import type { RunnerHandlers } from "../runner/handlers.ts";
import { dialLink } from "../runner/link/dial.ts";
import { Outbox } from "../runner/outbox.ts";
import { unserved } from "../runner/unserved.fake.ts";
import { openSqliteStore } from "../stores/sqlite.ts";
import type { Dependencies } from "./dependencies.ts";
import type { SandboxDriver, SandboxSpec, SandboxStatus } from "./driver.ts";
import type { ImageSource } from "./images.ts";
import { Orchestrator } from "./orchestrator.ts";
import type { Store } from "./store.ts";

/** What the runner of a test does when it is started; its sandbox lives in this process. */
export type Work = (runner: InnerRunner, start: Start) => Promise<void>;

/** Test support: core over a real store, real artifacts and a real link; only the engine and what runs in a sandbox are ours. */
export class World implements AsyncDisposable {
  readonly folder: string;
  readonly engine = new InnerEngine();
  readonly logged: string[] = [];
  config = Config.parse({ start_timeout_s: 5 });
  concurrency = 2;
  providers: Provider[] = [];
  /** What the gateway serves: tests that need it put it here before the start. */
  out: OutServices = {
    models: (connection) => connection.destroy(),
    egress: (connection) => connection.destroy(),
  };
  images: ImageSource = { ensure: async () => ({ reference: "image", digest: "sha256:0" }) };
  #open: AsyncDisposableStack | null = null;
  #orchestrator: Orchestrator | null = null;
  #store: Store | null = null;

  private constructor(folder: string) {
    this.folder = folder;
  }

  static async open(work: Work): Promise<World> {
    const world = new World(await mkdtemp(join(tmpdir(), "wd-")));
    world.engine.work = work;
    return world;
  }

  get orchestrator(): Orchestrator {
    if (this.#orchestrator === null) throw new Error("the orchestrator is not started");
    return this.#orchestrator;
  }

  get store(): Store {
    if (this.#store === null) throw new Error("the orchestrator is not started");
    return this.#store;
  }

  async start(): Promise<Orchestrator> {
    const log: Dependencies["log"] = (level, message, detail) =>
      this.logged.push(`${level} ${message} ${JSON.stringify(detail)}`);
    const stack = new AsyncDisposableStack();
    const store = stack.use(await openSqliteStore({ file: join(this.folder, "test.db") }));
    this.#store = store;
    const links = stack.use(openLinkListener({ folder: join(this.folder, "l"), log, out: this.out }));
    this.#orchestrator = stack.use(
      await Orchestrator.start({
        config: this.config,
        concurrency: this.concurrency,
        owner: "test",
        store,
        driver: this.engine,
        images: this.images,
        links,
        artifacts: await openFolderArtifacts({ folder: join(this.folder, "jobs") }),
        clock: {
          now: () => new Date().toISOString(),
          sleep: (ms, signal) => sleep(Math.max(0, ms), undefined, { signal }),
        },
        names: {
          job_id: () => randomUUIDv7(),
          sandbox_id: () => `s${randomBytes(5).toString("hex")}`,
          secret: () => randomBytes(8).toString("hex"),
        },
        providers: this.providers,
        network: async () => ({ npm_registry: null, pip_index_url: null, ca_pem: null }),
        doctor: async () => [],
        log,
      }),
    );
    this.#open = stack;
    return this.#orchestrator;
  }

  async stop(): Promise<void> {
    await this.#open?.disposeAsync();
    this.#open = null;
    this.#orchestrator = null;
    this.#store = null;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    await this.engine[Symbol.asyncDispose]();
    await rm(this.folder, { recursive: true, force: true });
  }
}

/** An engine whose sandboxes live in this process: each is a runner that dials the real link. */
export class InnerEngine implements SandboxDriver, AsyncDisposable {
  readonly runners = new Map<string, InnerRunner>();
  readonly volumes = new Map<string, Map<string, string>>();
  readonly created: SandboxSpec[] = [];
  work: Work = async () => undefined;
  away = false;
  /** What the surfaces of its sandboxes do; all others refuse. */
  surfaces: Partial<RunnerHandlers["surfaces"]> = {};
  /** What happens inside while the start of a job is on its way, before it is answered. */
  hindrance: (runner: InnerRunner) => void | Promise<void> = () => undefined;
  #watchers = new Set<(status: SandboxStatus) => void>();

  async info() {
    this.#answer();
    return { engine: "inner", engine_version: "1", cpus: 4, memory_bytes: 8 * 2 ** 30, runtimes: [] };
  }

  async create(spec: SandboxSpec, _signal?: AbortSignal): Promise<void> {
    this.#answer();
    if (this.runners.has(spec.id)) return;
    this.created.push(spec);
    const files = this.volumes.get(spec.volume) ?? new Map<string, string>();
    this.volumes.set(spec.volume, files);
    this.runners.set(spec.id, await InnerRunner.start(spec, files, this));
  }

  async destroy(id: string, { keep_volume }: { keep_volume: boolean }): Promise<void> {
    this.#answer();
    const runner = this.runners.get(id);
    if (runner === undefined) return;
    this.runners.delete(id);
    await runner[Symbol.asyncDispose]();
    if (!keep_volume) this.volumes.delete(runner.spec.volume);
  }

  async destroyVolume(volume: string): Promise<void> {
    this.volumes.delete(volume);
  }

  async list(): Promise<SandboxStatus[]> {
    this.#answer();
    return [...this.runners.values()].map((runner) => runner.status());
  }

  async *watch(signal: AbortSignal): AsyncGenerator<SandboxStatus> {
    this.#answer();
    const queue: SandboxStatus[] = [];
    let wake: () => void = () => undefined;
    const watcher = (status: SandboxStatus) => {
      queue.push(status);
      wake();
    };
    this.#watchers.add(watcher);
    signal.addEventListener("abort", () => wake(), { once: true });
    try {
      while (!signal.aborted) {
        const next = queue.shift();
        if (next !== undefined) yield next;
        else
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
      }
    } finally {
      this.#watchers.delete(watcher);
    }
  }

  /** The sandbox ends as if it were killed; its volume stays. */
  async kill(id: string, reason: SandboxStatus["reason"] = "exited"): Promise<void> {
    const runner = this.runners.get(id);
    if (runner === undefined) throw new Error(`there is no sandbox ${id}`);
    runner.ended = reason;
    await runner[Symbol.asyncDispose]();
    for (const watcher of this.#watchers) watcher(runner.status());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const runner of this.runners.values()) await runner[Symbol.asyncDispose]();
  }

  #answer(): void {
    if (this.away) throw new AppError({ code: "engine_unreachable", message: "The engine is away." });
  }
}

export class InnerRunner implements AsyncDisposable {
  readonly spec: SandboxSpec;
  readonly files: Map<string, string>;
  readonly stopped = new AbortController();
  ended: SandboxStatus["reason"] = null;
  readonly #outbox: Outbox;
  #link: AsyncDisposable | null = null;
  #handlers: RunnerHandlers | null = null;

  private constructor(spec: SandboxSpec, files: Map<string, string>, outbox: Outbox) {
    this.spec = spec;
    this.files = files;
    this.#outbox = outbox;
  }

  static async start(
    spec: SandboxSpec,
    files: Map<string, string>,
    engine: InnerEngine,
  ): Promise<InnerRunner> {
    const outbox = await Outbox.open({ folder: tmpdir() });
    const runner = new InnerRunner(spec, files, outbox);
    runner.#handlers = runner.#answers(engine);
    runner.#dial();
    return runner;
  }

  /** Loses its link, and dials it anew. */
  async cut(): Promise<void> {
    const lost = this.#link;
    this.#link = null;
    await lost?.[Symbol.asyncDispose]();
    if (!this.stopped.signal.aborted) this.#dial();
  }

  #dial(): void {
    if (this.#handlers === null) return;
    const { link_folder } = this.spec;
    this.#link = dialLink({ folder: link_folder, outbox: this.#outbox, handlers: this.#handlers });
  }

  emit(body: RunnerEventBody): Promise<void> {
    return this.#outbox.emit(body);
  }

  async say(data: string): Promise<void> {
    await this.emit({ type: "step.output", data: { step: 1, stream: "stdout", encoding: "utf8", data } });
  }

  async end(outcome: "complete" | "failed" | "stopped" = "complete"): Promise<void> {
    const reason =
      outcome === "failed" ? { code: "step_failed" as const, message: "It failed.", hint: "" } : null;
    await this.emit({ type: "agent.ended", data: { outcome, reason, exit_code: null, summary: "Said." } });
  }

  status(): SandboxStatus {
    const { id, job_id, volume } = this.spec;
    const state = this.ended === null ? "running" : "exited";
    const exit_code = this.ended === null ? null : 137;
    return { id, job_id, volume, state, exit_code, reason: this.ended, printed: "" };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.stopped.abort();
    await this.#link?.[Symbol.asyncDispose]();
    await this.#outbox[Symbol.asyncDispose]();
  }

  #answers(engine: InnerEngine): RunnerHandlers {
    let started: Start | null = null;
    return {
      hello: () => ({
        protocol: LINK_PROTOCOL,
        version: "0",
        epoch: this.#outbox.epoch,
        job_id: started?.job_id ?? null,
        secret: started?.secret ?? null,
      }),
      start: async (start) => {
        if (started !== null) return;
        started = start;
        void engine.work(this, start).catch(() => undefined);
        await engine.hindrance(this);
      },
      message: async ({ text }) => {
        await this.emit({ type: "message.said", data: { from: "person", text } });
      },
      stop: async () => {
        this.stopped.abort();
        await this.end("stopped");
      },
      quiesce: async () => undefined,
      upload: async (tar) => {
        for await (const _ of tar);
        return { files: 0 };
      },
      pack: () => {
        const tar = pack();
        for (const [name, content] of this.files) tar.entry({ name }, content);
        tar.finalize();
        return Readable.from(tar, { objectMode: false });
      },
      ...unserved(),
      surfaces: { ...unserved().surfaces, ...engine.surfaces },
      list: async ({ path }) => ({ path, entries: [], truncated: false }),
      read: async () => ({ size_bytes: 0, content: Readable.from([]) }),
      blob: async () => Readable.from([]),
    };
  }
}
