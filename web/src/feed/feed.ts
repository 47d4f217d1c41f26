import type { Event } from "../../../src/contract/event.ts";
import type { FeedState, FromFeed, ToFeed } from "./messages.ts";

type Listeners<T> = Set<(value: T) => void>;

/** This tab's end of the event stream that all tabs share. */
export class Feed {
  readonly #send: (message: ToFeed) => void;
  readonly #event_listeners: Listeners<readonly Event[]> = new Set();
  readonly #begin_listeners: Listeners<void> = new Set();
  readonly #state_listeners: Listeners<FeedState> = new Set();
  /** How many places of this tab show the output of a job. */
  readonly #watched = new Map<string, number>();
  #state: FeedState = { kind: "connecting" };

  constructor() {
    const port = openPort();
    this.#send = (message) => port.postMessage(message);
    port.onmessage = ({ data }: MessageEvent<FromFeed>) => this.#hear(data);
    const lock = `sealwork-tab-${crypto.randomUUID()}`;
    // The lock is held until this tab is gone.
    if ("locks" in navigator)
      void navigator.locks.request(lock, () => {
        this.#send({ type: "hello", lock });
        return new Promise(() => undefined);
      });
    addEventListener("online", () => this.retry());
    addEventListener("pagehide", ({ persisted }) => {
      if (!persisted) this.#send({ type: "bye" });
    });
  }

  get state(): FeedState {
    return this.#state;
  }

  /** Events of all jobs; `step.output` of those that are watched only, here or in another place of this tab. */
  onEvents(listener: (events: readonly Event[]) => void): () => void {
    return listen(this.#event_listeners, listener);
  }

  /** The stream begins anew: what was asked for before has to be asked for again. */
  onBegin(listener: () => void): () => void {
    return listen(this.#begin_listeners, listener);
  }

  onState(listener: (state: FeedState) => void): () => void {
    return listen(this.#state_listeners, listener);
  }

  /** Has the output of a job told too; undone by what it returns. */
  watch(job_id: string): () => void {
    this.#count(job_id, 1);
    return () => this.#count(job_id, -1);
  }

  retry(): void {
    this.#send({ type: "retry" });
  }

  #count(job_id: string, change: 1 | -1): void {
    const count = (this.#watched.get(job_id) ?? 0) + change;
    if (count > 0) this.#watched.set(job_id, count);
    else this.#watched.delete(job_id);
    this.#send({ type: "watch", job_ids: [...this.#watched.keys()] });
  }

  #hear(message: FromFeed): void {
    if (message.type === "state") {
      this.#state = message.state;
      for (const listener of this.#state_listeners) listener(message.state);
    } else if (message.type === "events")
      for (const listener of this.#event_listeners) listener(message.events);
    else for (const listener of this.#begin_listeners) listener();
  }
}

/** A worker shared by all tabs; where browsers have none (on some phones), the same in this tab alone. */
function openPort(): MessagePort {
  if (typeof SharedWorker !== "undefined") {
    const { port } = new SharedWorker(new URL("./worker.ts", import.meta.url), {
      type: "module",
      name: "sealwork-feed",
    });
    port.start();
    return port;
  }
  const { port1, port2 } = new MessageChannel();
  void import("./tabs.ts").then(({ FeedTabs }) => {
    new FeedTabs((...given) => fetch(...given)).add(port2);
  });
  return port1;
}

function listen<T>(listeners: Listeners<T>, listener: (value: T) => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}
