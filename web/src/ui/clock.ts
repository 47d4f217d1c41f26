import { useSyncExternalStore } from "react";

const TICK_MS = 1_000;
const listeners = new Set<() => void>();
let timer: ReturnType<typeof setInterval> | null = null;
let now = Date.now();

/** The time in ms since the epoch, anew every second; one timer serves the whole page. Stands still unless `ticking`. */
export function useNow(ticking = true): number {
  return useSyncExternalStore(ticking ? listen : never, () => now);
}

function never(): () => void {
  return () => undefined;
}

function listen(changed: () => void): () => void {
  listeners.add(changed);
  if (timer === null) {
    now = Date.now();
    timer = setInterval(() => {
      now = Date.now();
      for (const listener of listeners) listener();
    }, TICK_MS);
  }
  return () => {
    listeners.delete(changed);
    if (listeners.size > 0 || timer === null) return;
    clearInterval(timer);
    timer = null;
  };
}
