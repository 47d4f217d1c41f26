/** Short at first, because most interruptions are. */
const WAITS_MS = [250, 500, 1000, 2000, 4000];

/** How long to wait, in ms, before the next try, after so many that failed. */
export function waitBefore(tries: number): number {
  return WAITS_MS[Math.min(tries, WAITS_MS.length - 1)] ?? 0;
}
