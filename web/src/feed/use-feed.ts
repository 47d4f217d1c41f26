import { createContext, use, useEffect, useEffectEvent, useSyncExternalStore } from "react";
import type { Event } from "../../../src/contract/event.ts";
import type { Feed } from "./feed.ts";
import type { FeedState } from "./messages.ts";

export const FeedContext = createContext<Feed | null>(null);

export function useFeed(): Feed {
  const feed = use(FeedContext);
  if (feed === null) throw new Error("There is no feed around this component.");
  return feed;
}

export function useFeedState(): FeedState {
  const feed = useFeed();
  return useSyncExternalStore(
    (changed) => feed.onState(changed),
    () => feed.state,
  );
}

/** Calls with the events that arrived together, in order. */
export function useEvents(onEvents: (events: readonly Event[]) => void): void {
  const feed = useFeed();
  const latest = useEffectEvent(onEvents);
  useEffect(() => feed.onEvents((events) => latest(events)), [feed]);
}
