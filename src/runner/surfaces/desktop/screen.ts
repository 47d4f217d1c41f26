import { setTimeout as sleep } from "node:timers/promises";
import { AppError } from "../../../contract/errors.ts";
import { settlesWithin } from "../../process/settles-within.ts";
import { untilAborted } from "../until-aborted.ts";
import { RfbClient } from "./rfb-client.ts";

/** A screen that nobody looks at any more is kept in memory this long: an agent looks again soon. */
const KEPT_MS = 5_000;
/** After an action the screen is left alone this long, and has settled when it has not changed for the second. */
const SETTLE_MIN_MS = 100;
const QUIET_MS = 150;
/** What moves all the time never settles. */
const SETTLE_MAX_MS = 2_000;
/** What changes is looked at at most this often: each update is copied whole. */
const FRAME_MS = 20;

export type Look = Disposable & { readonly client: RfbClient };

/** The desktop's screen as the runner itself sees it: connected while somebody looks, and shared by all who do. */
export class Screen implements Disposable {
  readonly #socket_path: string;
  readonly #use: (signal: AbortSignal) => Promise<Disposable>;
  #looking = 0;
  #connected: { client: RfbClient; use: Disposable } | null = null;
  #connecting: Promise<RfbClient> | null = null;
  #closing: NodeJS.Timeout | undefined;
  readonly #ended = new AbortController();

  /** `use` starts the desktop and counts as a use of it. */
  constructor(options: { socket_path: string; use(signal: AbortSignal): Promise<Disposable> }) {
    this.#socket_path = options.socket_path;
    this.#use = options.use;
  }

  /** The screen is there and kept up to date as far as the looker asks, until it is disposed of. AppError `conflict` when there is none. */
  async look(signal: AbortSignal): Promise<Look> {
    signal.throwIfAborted();
    this.#looking += 1;
    clearTimeout(this.#closing);
    let looks = true;
    const release = (): void => {
      if (!looks) return;
      looks = false;
      this.#looking -= 1;
      if (this.#looking === 0) this.#closing = setTimeout(() => this.#close(), KEPT_MS);
    };
    try {
      return { client: await this.#client(signal), [Symbol.dispose]: release };
    } catch (error) {
      release();
      throw error;
    }
  }

  [Symbol.dispose](): void {
    this.#ended.abort();
    clearTimeout(this.#closing);
    this.#close();
  }

  async #client(signal: AbortSignal): Promise<RfbClient> {
    if (this.#connected?.client.closed) this.#close();
    if (this.#connected !== null) return this.#connected.client;
    // Not with this caller's signal: others may wait for it too.
    this.#connecting ??= this.#connect(this.#ended.signal).finally(() => {
      this.#connecting = null;
    });
    return untilAborted(this.#connecting, signal);
  }

  async #connect(signal: AbortSignal): Promise<RfbClient> {
    const use = await this.#use(signal);
    try {
      const client = await RfbClient.connect(this.#socket_path, signal);
      this.#connected = { client, use };
      await client.refresh(signal);
      return client;
    } catch (cause) {
      use[Symbol.dispose]();
      this.#close();
      signal.throwIfAborted();
      if (cause instanceof AppError) throw cause;
      throw new AppError({ code: "conflict", message: `The screen cannot be seen: ${textOf(cause)}`, cause });
    }
  }

  #close(): void {
    this.#connected?.client[Symbol.dispose]();
    this.#connected?.use[Symbol.dispose]();
    this.#connected = null;
  }
}

/** Resolves when the screen has stopped changing after something was done, at the latest after `max_ms`. */
export async function settled(client: RfbClient, signal: AbortSignal, max_ms = SETTLE_MAX_MS): Promise<void> {
  const until = performance.now() + max_ms;
  await sleep(SETTLE_MIN_MS, undefined, { signal });
  for (;;) {
    const changed = await settlesWithin(client.changedSince(client.updates, signal), QUIET_MS);
    signal.throwIfAborted();
    if (!changed || client.closed || performance.now() >= until) return;
    await sleep(FRAME_MS, undefined, { signal });
  }
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
