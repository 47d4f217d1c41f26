import { setTimeout } from "node:timers/promises";
import type { Clock } from "../core/clock.ts";

/** The time of this machine. */
export const systemClock: Clock = {
  now: () => new Date().toISOString(),
  sleep: (ms, signal) => setTimeout(Math.max(0, ms), undefined, { signal }),
};
