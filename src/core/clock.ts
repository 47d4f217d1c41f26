/** Time as core sees it, handed in so that tests can move it. */
export interface Clock {
  /** Now, as RFC 3339 UTC with milliseconds. */
  now(): string;
  /** Resolves after so many milliseconds; rejects with the signal's reason when that aborts first. */
  sleep(ms: number, signal: AbortSignal): Promise<void>;
}

/** Milliseconds from one time to another; null when either is unknown. */
export function elapsedMs(from: string | null, to: string | null): number | null {
  return from === null || to === null ? null : Math.max(0, Date.parse(to) - Date.parse(from));
}
