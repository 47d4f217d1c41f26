import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";

/** Figures of one thing measured several times; `values` are in the order in which they were taken. */
export type Summary = { median: number; p95: number; lowest: number; highest: number; values: number[] };

/** Needs at least one value. The 95th percentile is the nearest rank, so with few values it is the highest of them. */
export function summarize(values: readonly number[]): Summary {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (rank: number): number => {
    const value = sorted[Math.min(Math.max(rank, 0), sorted.length - 1)];
    assert(value !== undefined, "nothing was measured");
    return value;
  };
  const middle = Math.floor((sorted.length - 1) / 2);
  return {
    median: (at(middle) + at(Math.ceil((sorted.length - 1) / 2))) / 2,
    p95: at(Math.ceil(sorted.length * 0.95) - 1),
    lowest: at(0),
    highest: at(sorted.length - 1),
    values: values.map((value) => Math.round(value * 100) / 100),
  };
}

/** Milliseconds since 1970 with fractions: comparable with the times of events of other processes of this machine. */
export function wallClockMs(): number {
  return performance.timeOrigin + performance.now();
}

/** What one measurement leaves to be done (containers that are taken apart, say) is done by then, and does not weigh on the next. */
const SETTLE_MS = 100;

/** Waits before a measurement begins. There is no event to wait for: the engine ends its work behind the scenes. */
export async function settle(): Promise<void> {
  await sleep(SETTLE_MS);
}
