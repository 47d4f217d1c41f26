import { useFeedState } from "../feed/use-feed.ts";
import { useNow } from "../ui/clock.ts";

/** A server that starts anew, or a network that stumbles, is back before this; nobody need hear of it. */
export const SAID_AFTER_MS = 1_000;
/** After this what is shown of jobs at work may no longer be true. */
export const STALE_AFTER_MS = 5_000;

export type Outage = { stale: boolean; retry_in_s: number };

/** That the server is not heard, once it lasts long enough to be said; null while all is well. */
export function useOutage(): Outage | null {
  const state = useFeedState();
  const now = useNow(state.kind === "lost");
  if (state.kind !== "lost" || now - state.since < SAID_AFTER_MS) return null;
  const retry_in_s = state.retry_at === null ? 0 : Math.max(0, Math.ceil((state.retry_at - now) / 1000));
  return { stale: now - state.since >= STALE_AFTER_MS, retry_in_s };
}
