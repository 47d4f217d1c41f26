import type { Event } from "../../../src/contract/event.ts";

/** How the one event stream stands: what pages show may be believed only while it is `live`. */
export type FeedState =
  /** For the first time; nothing was shown yet that could be wrong. */
  | { kind: "connecting" }
  | { kind: "live" }
  /** It broke off at `since`, and is tried again at `retry_at` (ms since the epoch), or right now where that is null. */
  | { kind: "lost"; since: number; retry_at: number | null }
  | { kind: "signed_out" };

/** From a tab to the one who holds the stream. */
export type ToFeed =
  /** The tab is there, for the first time or again. `lock` is the name of a lock that it holds as long as it is; null where there are no locks. */
  | { type: "hello"; lock: string | null }
  /** The jobs whose output this tab shows; in place of those that it named before. */
  | { type: "watch"; job_ids: string[] }
  /** The next of the `events` that were sent is dealt with: a tab that is frozen says nothing, and is sent nothing more after a while. */
  | { type: "heard" }
  /** Try now: the machine is online again, or somebody pressed a button. */
  | { type: "retry" }
  | { type: "bye" };

/** To a tab. Events come in the order of their cursors, none twice. */
export type FromFeed =
  /** `lock` is held as long as the one who holds the stream lives; null when it lives in the tab itself. */
  | { type: "hello"; lock: string | null }
  | { type: "state"; state: FeedState }
  | { type: "events"; events: Event[] }
  /** From here on events are told; what was before has to be asked for. Comes with each beginning that is no continuation. */
  | { type: "begins" };
