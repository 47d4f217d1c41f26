import { setTimeout as sleep } from "node:timers/promises";
import type { RunnerEventBody } from "../../contract/event.ts";
import type { Cgroup } from "./cgroup.ts";

const SAMPLE_EVERY_MS = 5_000;

/** Says `metrics.sampled` every five seconds, and a last time when it is disposed. */
export class MetricsWatch implements AsyncDisposable {
  readonly #options: {
    cgroup: Cgroup;
    disk_bytes: () => number | null;
    emit: (body: RunnerEventBody) => Promise<void>;
  };
  readonly #ending = new AbortController();
  readonly #watching: Promise<void>;

  constructor(options: {
    cgroup: Cgroup;
    disk_bytes: () => number | null;
    emit: (body: RunnerEventBody) => Promise<void>;
  }) {
    this.#options = options;
    this.#watching = this.#watch();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ending.abort();
    await this.#watching;
    await this.#sample();
  }

  async #watch(): Promise<void> {
    const { signal } = this.#ending;
    while (!signal.aborted) {
      await sleep(SAMPLE_EVERY_MS, undefined, { signal }).catch(() => undefined);
      if (!signal.aborted) await this.#sample();
    }
  }

  async #sample(): Promise<void> {
    const { cgroup, disk_bytes, emit } = this.#options;
    await emit({ type: "metrics.sampled", data: { ...(await cgroup.usage()), disk_bytes: disk_bytes() } });
  }
}
