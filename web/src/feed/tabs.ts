import type { Event } from "../../../src/contract/event.ts";
import { FeedConnection } from "./connection.ts";
import type { FeedTime } from "./feed-time.ts";
import type { FeedState, FromFeed, ToFeed } from "./messages.ts";

/** The end of a MessagePort that this needs. */
export type Port = {
  postMessage(message: FromFeed): void;
  onmessage: ((message: MessageEvent<ToFeed>) => void) | null;
};

export type FeedTabsOptions = {
  fetch: typeof globalThis.fetch;
  time: FeedTime;
  /** Undefined where there are none; a tab that crashes is then never missed. */
  locks: Pick<LockManager, "request"> | undefined;
  /** The lock that is held as long as this lives; null in the tab itself. */
  lock: string | null;
};

/** What waits at most for a tab that does not listen, in characters of its events; then it is told to begin anew. */
export const UNHEARD_MAX_CHARS = 8 * 1024 * 1024;
/** About what an event takes beside its output. */
const EVENT_CHARS = 500;

type Tab = {
  readonly lock: string | null;
  watched: readonly string[];
  /** What each message weighs that it has not heard yet. */
  readonly unheard: number[];
  unheard_chars: number;
  /** It was too slow, and is sent nothing until it has heard what it was sent. */
  behind: boolean;
};

/** Shares one FeedConnection among the tabs of a browser. */
export class FeedTabs implements Disposable {
  readonly #options: FeedTabsOptions;
  readonly #connection: FeedConnection;
  readonly #tabs = new Map<Port, Tab>();
  #state: FeedState = { kind: "connecting" };
  #begun = false;

  constructor(options: FeedTabsOptions) {
    this.#options = options;
    this.#connection = new FeedConnection({
      fetch: options.fetch,
      time: options.time,
      onState: (state) => {
        this.#state = state;
        this.#tell({ type: "state", state });
      },
      onBegin: () => {
        this.#begun = true;
        this.#tell({ type: "begins" });
      },
      onEvents: (events) => {
        for (const [port, tab] of this.#tabs) this.#send(port, tab, events);
      },
    });
  }

  /** A port that a tab may say hello on, at any time. */
  add(port: Port): void {
    port.onmessage = ({ data }) => this.#hear(port, data);
    port.postMessage({ type: "hello", lock: this.#options.lock });
  }

  [Symbol.dispose](): void {
    this.#connection[Symbol.dispose]();
  }

  #hear(port: Port, message: ToFeed): void {
    const tab = this.#tabs.get(port);
    if (message.type === "hello") this.#join(port, message.lock);
    else if (message.type === "retry") this.#connection.retry();
    else if (tab === undefined) return;
    else if (message.type === "bye") this.#remove(port, tab.lock);
    else if (message.type === "heard") this.#heard(port, tab);
    else {
      tab.watched = message.job_ids;
      this.#watch();
    }
  }

  #join(port: Port, lock: string | null): void {
    this.#tabs.set(port, { lock, watched: [], unheard: [], unheard_chars: 0, behind: false });
    this.#greet(port);
    const { locks } = this.#options;
    // A tab that crashes says no farewell, but its lock becomes free.
    if (lock !== null) void locks?.request(lock, () => this.#remove(port, lock)).catch(() => undefined);
  }

  #greet(port: Port): void {
    if (this.#begun) port.postMessage({ type: "begins" });
    port.postMessage({ type: "state", state: this.#state });
  }

  /** A tab that came back has another lock: the end of the old one is not its own. */
  #remove(port: Port, lock: string | null): void {
    if (this.#tabs.get(port)?.lock !== lock) return;
    this.#tabs.delete(port);
    this.#watch();
  }

  #send(port: Port, tab: Tab, all: readonly Event[]): void {
    if (tab.behind) return;
    const events = all.filter((event) => event.type !== "step.output" || tab.watched.includes(event.job_id));
    if (events.length === 0) return;
    const chars = events.reduce((sum, event) => sum + charsOf(event), 0);
    tab.behind = tab.unheard_chars + chars > UNHEARD_MAX_CHARS && tab.unheard.length > 0;
    if (tab.behind) return;
    tab.unheard.push(chars);
    tab.unheard_chars += chars;
    port.postMessage({ type: "events", events });
  }

  #heard(port: Port, tab: Tab): void {
    tab.unheard_chars -= tab.unheard.shift() ?? 0;
    if (!tab.behind || tab.unheard.length > 0) return;
    tab.behind = false;
    this.#greet(port);
  }

  #watch(): void {
    this.#connection.watch([...this.#tabs.values()].flatMap(({ watched }) => watched));
  }

  #tell(message: FromFeed): void {
    for (const [port, { behind }] of this.#tabs) if (!behind) port.postMessage(message);
  }
}

function charsOf(event: Event): number {
  return EVENT_CHARS + (event.type === "step.output" ? event.data.data.length : 0);
}
