import type { Event } from "../../../src/contract/event.ts";

/** How the one event stream stands: what pages show may be believed only while it is `live`. */
export type FeedState =
  | { kind: "connecting" }
  | { kind: "live" }
  /** It broke off; tried again at `retry_at` (ms since the epoch). */
  | { kind: "lost"; retry_at: number }
  | { kind: "signed_out" };

/** From a tab to the one who holds the stream. */
export type ToFeed =
  /** `lock` is the name of a lock that the tab holds as long as it lives. */
  | { type: "hello"; lock: string }
  /** The jobs whose output this tab shows; in place of those that it named before. */
  | { type: "watch"; job_ids: string[] }
  /** Try now: the machine is online again, or somebody pressed a button. */
  | { type: "retry" }
  | { type: "bye" };

/** To a tab. Events come in the order of their cursors, none twice. */
export type FromFeed =
  | { type: "state"; state: FeedState }
  | { type: "events"; events: Event[] }
  /** From here on events are told; what was before has to be asked for. Comes with each beginning that is no continuation. */
  | { type: "begins" };
