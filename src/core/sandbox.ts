import { AppError } from "../contract/errors.ts";
import type { Clock } from "./clock.ts";
import { withDeadline } from "./deadline.ts";
import type { Dependencies } from "./dependencies.ts";
import type { SandboxId, SandboxSpec, SandboxStatus } from "./driver.ts";
import type { SandboxLink } from "./link.ts";
import type { Outbound } from "./outbound.ts";

/** How long the engine may be away before a call that needs it gives up. */
const ENGINE_PATIENCE_MS = 15 * 60_000;
const ENGINE_RETRY_MS = 1_000;
/** How long a question to the engine may take that somebody waits for. */
const ENGINE_ANSWER_MS = 3_000;

type Needs = Pick<Dependencies, "driver" | "links" | "clock" | "config">;

/** One sandbox of a job as core holds it: placed by the driver, spoken to over its link. */
export class Sandbox {
  readonly id: SandboxId;
  readonly #needs: Needs;
  readonly #outbound: Outbound | null;
  readonly #gone = new AbortController();
  #status: SandboxStatus | null = null;
  #link: SandboxLink | null = null;

  /** `outbound` is the job that answers for what it reaches out to; null for a sandbox that only packs. */
  constructor(id: SandboxId, needs: Needs, outbound: Outbound | null) {
    this.id = id;
    this.#needs = needs;
    this.#outbound = outbound;
  }

  /** Aborted when the engine says that it does not run (any more). */
  get gone(): AbortSignal {
    return this.#gone.signal;
  }

  /** The last that the engine said of it; null when it is not there. */
  get status(): SandboxStatus | null {
    return this.#status;
  }

  /** The living link; null while there is none. */
  get link(): SandboxLink | null {
    return this.#link === null || this.#link.lost.aborted ? null : this.#link;
  }

  /** Takes in what the engine says; null means that it does not know this sandbox. */
  changed(status: SandboxStatus | null): void {
    if (this.#gone.signal.aborted) return;
    this.#status = status;
    if (status === null || status.state === "exited" || status.state === "absent") this.#gone.abort();
  }

  /** Makes its sockets ahead of `start`, which finds them open. */
  async prepare(): Promise<void> {
    await this.#needs.links.open(this.id, this.#outbound);
  }

  /** Places it and waits for its runner. Rejects when it ends first (`gone` is then aborted) or takes longer than the start timeout. */
  async start(
    spec: Omit<SandboxSpec, "id" | "link_folder">,
    placed: () => Promise<void>,
    outer: AbortSignal,
  ) {
    const { driver, links, clock, config } = this.#needs;
    const { folder } = await links.open(this.id, this.#outbound);
    await this.#bounded(
      (signal) => driver.create({ ...spec, id: this.id, link_folder: folder }, signal),
      outer,
    );
    await placed();
    const limit = { what: "Starting the sandbox", ms: config.start_timeout_s * 1000 };
    return withDeadline(clock, limit, outer, (signal) => this.connect(null, signal));
  }

  async connect(secret: string | null, outer: AbortSignal): Promise<SandboxLink> {
    const signal = AbortSignal.any([outer, this.gone]);
    signal.throwIfAborted();
    // After a restart nobody listens in the folder yet.
    await this.#needs.links.open(this.id, this.#outbound);
    this.#link = await this.#needs.links.connect(this.id, secret, signal);
    return this.#link;
  }

  /** Asks the engine now. Throws AppError `engine_unreachable`, and DeadlinePassed when it takes the question and does not answer. */
  async look(outer: AbortSignal): Promise<SandboxStatus | null> {
    const { clock, driver } = this.#needs;
    const limit = { what: "Asking the container engine", ms: ENGINE_ANSWER_MS };
    const all = await withDeadline(clock, limit, outer, (signal) => driver.list(signal));
    const status = all.find((one) => one.id === this.id) ?? null;
    this.changed(status);
    return status;
  }

  /** Ends it and closes its link; resolves when it is already gone. Waits for an engine that is away, within bounds. */
  async remove(options: { keep_volume: boolean }, signal: AbortSignal): Promise<void> {
    await this.#bounded((inner) => this.#needs.driver.destroy(this.id, options, inner), signal);
    await this.disconnect();
    await this.#needs.links.close(this.id);
  }

  async disconnect(): Promise<void> {
    await this.#link?.close();
    this.#link = null;
  }

  /** As `patiently`; an engine that takes a call and never answers it is given up too. */
  async #bounded(call: (signal: AbortSignal) => Promise<void>, outer: AbortSignal): Promise<void> {
    const { clock } = this.#needs;
    const limit = { what: "Waiting for the container engine", ms: ENGINE_PATIENCE_MS };
    await withDeadline(clock, limit, outer, (signal) => patiently(clock, () => call(signal), signal));
  }
}

/** Repeats a call to the engine while that does not answer, until it has been away for ENGINE_PATIENCE_MS. */
export async function patiently<T>(clock: Clock, call: () => Promise<T>, signal: AbortSignal): Promise<T> {
  let away_since: number | null = null;
  while (true) {
    try {
      return await call();
    } catch (error) {
      if (!(error instanceof AppError) || error.code !== "engine_unreachable") throw error;
      const now = Date.parse(clock.now());
      away_since ??= now;
      if (now - away_since >= ENGINE_PATIENCE_MS) throw error;
    }
    await clock.sleep(ENGINE_RETRY_MS, signal);
  }
}
