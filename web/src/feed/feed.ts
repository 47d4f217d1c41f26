import type { Event } from "../../../src/contract/event.ts";
import { systemTime } from "./feed-time.ts";
import type { FeedState, FromFeed, ToFeed } from "./messages.ts";
import { FeedTabs } from "./tabs.ts";

type Listeners<T> = Set<(value: T) => void>;

/** The end of a MessagePort that a tab needs. */
export type FeedPort = {
  postMessage(message: ToFeed): void;
  onmessage: ((message: MessageEvent<FromFeed>) => void) | null;
};

export type FeedOptions = {
  /** The way to the one who holds the stream; `onGone` is called where there turns out to be nobody. Called again when that one died. */
  open: (onGone: () => void) => FeedPort;
  locks: Pick<LockManager, "request"> | undefined;
  /** The window, for what happens to its page. */
  page: Pick<EventTarget, "addEventListener">;
};

/** This tab's end of the event stream that all tabs share. */
export class Feed {
  readonly #options: FeedOptions;
  readonly #event_listeners: Listeners<readonly Event[]> = new Set();
  readonly #begin_listeners: Listeners<void> = new Set();
  readonly #state_listeners: Listeners<FeedState> = new Set();
  /** How many places of this tab show the output of a job. */
  readonly #watched = new Map<string, number>();
  #port: FeedPort;
  #state: FeedState = { kind: "connecting" };
  #leave = (): void => undefined;

  constructor(options: FeedOptions) {
    this.#options = options;
    this.#port = this.#open();
    void this.#join();
    const { page } = options;
    page.addEventListener("online", () => this.retry());
    page.addEventListener("pagehide", () => this.#leave());
    // A page that waits behind the back button hears nothing and holds nothing; it begins anew when somebody comes back to it.
    page.addEventListener("pageshow", (event) => {
      if ((event as PageTransitionEvent).persisted) void this.#join();
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
    this.#port.postMessage({ type: "retry" });
  }

  #open(): FeedPort {
    const port = this.#options.open(() => this.#reopen());
    port.onmessage = ({ data }) => this.#hear(data, port);
    return port;
  }

  /** Who held the stream is gone, and what it last said with it. */
  #reopen(): void {
    this.#leave();
    if (this.#state.kind === "live") this.#setState({ kind: "lost", since: Date.now(), retry_at: null });
    this.#port = this.#open();
    void this.#join();
  }

  /** Says hello, by a lock that is held until this tab is gone or leaves. */
  #join(): Promise<void> {
    const { locks } = this.#options;
    const { promise, resolve } = Promise.withResolvers<void>();
    let left = false;
    this.#leave = () => {
      left = true;
      this.#port.postMessage({ type: "bye" });
      resolve();
    };
    const hello = (lock: string | null): void => {
      if (left) return;
      this.#port.postMessage({ type: "hello", lock });
      this.#tellWatched();
    };
    if (locks === undefined) {
      hello(null);
      return Promise.resolve();
    }
    const lock = `sealwork-tab-${crypto.randomUUID()}`;
    return locks
      .request(lock, () => {
        hello(lock);
        return promise;
      })
      .catch(() => hello(null));
  }

  #count(job_id: string, change: 1 | -1): void {
    const count = (this.#watched.get(job_id) ?? 0) + change;
    if (count > 0) this.#watched.set(job_id, count);
    else this.#watched.delete(job_id);
    this.#tellWatched();
  }

  #tellWatched(): void {
    this.#port.postMessage({ type: "watch", job_ids: [...this.#watched.keys()] });
  }

  #hear(message: FromFeed, port: FeedPort): void {
    if (port !== this.#port) return;
    if (message.type === "state") this.#setState(message.state);
    else if (message.type === "begins") for (const listener of this.#begin_listeners) listener();
    else if (message.type === "events") {
      try {
        for (const listener of this.#event_listeners) listener(message.events);
      } finally {
        // Whoever failed at them: a tab that does not say so is sent nothing more.
        port.postMessage({ type: "heard" });
      }
    } else if (message.lock !== null)
      void this.#options.locks?.request(message.lock, () => {
        if (port === this.#port) this.#reopen();
      });
  }

  #setState(state: FeedState): void {
    this.#state = state;
    for (const listener of this.#state_listeners) listener(state);
  }
}

/** The feed of this tab by a worker that all tabs share; where browsers have none, or do not start it, by one in this tab alone. */
export function openFeed(): Feed {
  const locks = "locks" in navigator ? navigator.locks : undefined;
  let shared = typeof SharedWorker !== "undefined";
  const open = (onGone: () => void): FeedPort => {
    if (!shared) return inThisTab();
    const worker = new SharedWorker(new URL("./worker.ts", import.meta.url), {
      type: "module",
      name: "sealwork-feed",
    });
    worker.onerror = () => {
      shared = false;
      onGone();
    };
    return worker.port;
  };
  return new Feed({ open, locks, page: window });
}

function inThisTab(): FeedPort {
  const { port1, port2 } = new MessageChannel();
  const tabs = new FeedTabs({
    fetch: (...given) => fetch(...given),
    time: systemTime,
    locks: undefined,
    lock: null,
  });
  tabs.add(port2);
  return port1;
}

function listen<T>(listeners: Listeners<T>, listener: (value: T) => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}
