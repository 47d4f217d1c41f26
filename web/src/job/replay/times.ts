/** How many of `times`, which ascend, are not after `at`: the index of the last one is one less. */
export function countUntil(
  times: { readonly length: number; readonly [index: number]: number | undefined },
  at: number,
): number {
  let low = 0;
  let high = times.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((times[middle] ?? Number.POSITIVE_INFINITY) <= at) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The last of what ascends by `at` that is not after a moment. */
export function lastUntil<T extends { at: number }>(all: readonly T[], at: number): T | null {
  return all[countOf(all, at) - 1] ?? null;
}

/** How many of what ascends by `at` are not after a moment. */
export function countOf(all: readonly { at: number }[], at: number): number {
  let low = 0;
  let high = all.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((all[middle]?.at ?? Number.POSITIVE_INFINITY) <= at) low = middle + 1;
    else high = middle;
  }
  return low;
}
