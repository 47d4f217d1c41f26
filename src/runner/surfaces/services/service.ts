import { setTimeout as sleep } from "node:timers/promises";
import { AppError } from "../../../contract/errors.ts";
import { untilAborted } from "../until-aborted.ts";
import { Supervision, type SupervisionOptions } from "./supervision.ts";

/** A service that nobody has used for this long ends. */
export const SERVICE_IDLE_MS = 10 * 60 * 1000;

export type ServiceOptions = Omit<SupervisionOptions, "used" | "wait"> & {
  /** Whether something uses it that did not ask for it: it is not idle then. Must not throw. */
  busy?(): Promise<boolean>;
  idle_ms?: number;
  /** Waits until it is idle, and before it starts again; injected by tests. Rejects when the signal aborts. */
  wait?(ms: number, signal: AbortSignal): Promise<void>;
};

/**
 * Processes that serve people while somebody uses them. They start with the first use, start again with a growing delay when one of them
 * ends, and end when nobody has used them for `idle_ms`. Disposal kills them; afterwards `use` is AppError `conflict`.
 */
export class Service implements AsyncDisposable {
  readonly #options: ServiceOptions;
  readonly #wait: NonNullable<ServiceOptions["wait"]>;
  #users = 0;
  #run: Supervision | null = null;
  #idle = new AbortController();
  #disposed = false;

  constructor(options: ServiceOptions) {
    this.#options = options;
    this.#wait = options.wait ?? ((ms, signal) => sleep(ms, undefined, { signal }));
  }

  /** As people read it, at the beginning of a sentence. */
  get title(): string {
    return this.#options.title;
  }

  /** Whether all of its parts are ready at the moment. */
  get is_up(): boolean {
    return this.#run?.is_up ?? false;
  }

  /**
   * Starts it unless it runs. Counts as a use until the result is disposed of, which may be done more than once.
   * Rejects with AppError `conflict` when it fails again and again, and with the signal's reason.
   */
  async use(signal: AbortSignal): Promise<Disposable> {
    signal.throwIfAborted();
    this.#users += 1;
    this.#idle.abort();
    let used = true;
    const release = (): void => {
      if (!used) return;
      used = false;
      this.#users -= 1;
      if (this.#users === 0) this.#endWhenIdle();
    };
    try {
      await untilAborted(this.#up(), signal);
    } catch (error) {
      release();
      throw error;
    }
    return { [Symbol.dispose]: release };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#disposed = true;
    this.#idle.abort();
    this.#run?.stop("job_end");
    await this.#run?.ended;
  }

  async #up(): Promise<void> {
    while (this.#run?.ending) await this.#run.ended;
    if (this.#disposed) throw new AppError({ code: "conflict", message: "The job's work has ended." });
    this.#run ??= this.#started();
    await this.#run.up();
  }

  #started(): Supervision {
    const run = new Supervision({ ...this.#options, wait: this.#wait, used: () => this.#users > 0 });
    const over = (): void => {
      if (this.#run === run) this.#run = null;
    };
    run.ended.then(over, over);
    return run;
  }

  #endWhenIdle(): void {
    const run = this.#run;
    if (run === null || this.#disposed) return;
    const { idle_ms = SERVICE_IDLE_MS, busy = async () => false } = this.#options;
    this.#idle = new AbortController();
    const { signal } = this.#idle;
    const idle = async (): Promise<void> => {
      do await this.#wait(idle_ms, signal);
      while (await busy());
      if (!signal.aborted) run.stop("idle");
    };
    // Somebody uses it again.
    idle().catch(() => undefined);
  }
}
