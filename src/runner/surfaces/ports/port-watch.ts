import { setTimeout as sleep } from "node:timers/promises";
import type { RunnerEventBody } from "../../../contract/event.ts";
import { portsOf } from "./listening-ports.ts";
import { type ListeningSocket, listeningSockets } from "./listening-sockets.ts";
import { PortChanges } from "./port-changes.ts";

const LOOK_EVERY_MS = 500;
/** A look that took long, because the sandbox is very busy, is followed by a rest so many times as long. */
const REST_FACTOR = 3;

/** Says `port.opened` and `port.closed` within a second, until it is disposed. */
export class PortWatch implements AsyncDisposable {
  readonly #emit: (body: RunnerEventBody) => Promise<void>;
  readonly #ending = new AbortController();
  readonly #changes = new PortChanges();
  readonly #watching: Promise<void>;
  #sockets = "";
  #ports = new Map<number, string | null>();

  constructor(options: { emit: (body: RunnerEventBody) => Promise<void> }) {
    this.#emit = options.emit;
    this.#watching = this.#watch();
    // That events can be kept no more is told when this is disposed.
    this.#watching.catch(() => undefined);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ending.abort();
    await this.#watching;
  }

  async #watch(): Promise<void> {
    const { signal } = this.#ending;
    while (!signal.aborted) {
      const began_ms = performance.now();
      await this.#look();
      const rest_ms = Math.max(LOOK_EVERY_MS, (performance.now() - began_ms) * REST_FACTOR);
      await sleep(rest_ms, undefined, { signal }).catch(() => undefined);
    }
  }

  async #look(): Promise<void> {
    const sockets = await listeningSockets();
    // Who owns what is looked for only when something is new.
    const now = keyOf(sockets);
    if (now !== this.#sockets) {
      this.#sockets = now;
      this.#ports = new Map((await portsOf(sockets)).map(({ port, process }) => [port, process]));
    }
    for (const event of this.#changes.seen(this.#ports, performance.now())) await this.#emit(event);
  }
}

function keyOf(sockets: readonly ListeningSocket[]): string {
  return sockets.map(({ port, inode }) => `${port} ${inode}`).join();
}
