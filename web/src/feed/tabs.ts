import { FeedConnection } from "./connection.ts";
import type { FeedState, FromFeed, ToFeed } from "./messages.ts";

/** The end of a MessagePort that this needs. */
export type Port = {
  postMessage(message: FromFeed): void;
  onmessage: ((message: MessageEvent<ToFeed>) => void) | null;
};

/** Shares one FeedConnection among the tabs of a browser. */
export class FeedTabs {
  readonly #connection: FeedConnection;
  readonly #watched = new Map<Port, readonly string[]>();
  #state: FeedState = { kind: "connecting" };
  #begun = false;

  constructor(fetch: typeof globalThis.fetch) {
    this.#connection = new FeedConnection({
      fetch,
      onState: (state) => {
        this.#state = state;
        this.#tell({ type: "state", state });
      },
      onBegin: () => {
        this.#begun = true;
        this.#tell({ type: "begins" });
      },
      onEvents: (events) => {
        for (const [port, watched] of this.#watched) {
          const wanted = events.filter(
            (event) => event.type !== "step.output" || watched.includes(event.job_id),
          );
          if (wanted.length > 0) port.postMessage({ type: "events", events: wanted });
        }
      },
    });
  }

  add(port: Port): void {
    this.#watched.set(port, []);
    port.onmessage = ({ data }) => this.#hear(port, data);
    if (this.#begun) port.postMessage({ type: "begins" });
    port.postMessage({ type: "state", state: this.#state });
  }

  #hear(port: Port, message: ToFeed): void {
    if (message.type === "hello") this.#removeWithout(port, message.lock);
    else if (message.type === "retry") this.#connection.retry();
    else if (message.type === "bye") this.#remove(port);
    else if (this.#watched.has(port)) {
      this.#watched.set(port, message.job_ids);
      this.#watch();
    }
  }

  /** A tab that crashes says no farewell, but its lock becomes free. */
  #removeWithout(port: Port, lock: string): void {
    if (!("locks" in navigator)) return;
    void navigator.locks.request(lock, () => this.#remove(port)).catch(() => undefined);
  }

  #remove(port: Port): void {
    this.#watched.delete(port);
    this.#watch();
  }

  #watch(): void {
    this.#connection.watch([...this.#watched.values()].flat());
  }

  #tell(message: FromFeed): void {
    for (const port of this.#watched.keys()) port.postMessage(message);
  }
}
