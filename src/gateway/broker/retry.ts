/** Attempts of one call in all, and how long it may take from the first to the beginning of the last. */
export const ATTEMPTS_MAX = 5;
export const RETRY_MAX_MS = 150_000;
/** Pauses where the provider names none: each doubles the one before. */
const PAUSE_MIN_MS = 1_000;
const PAUSE_MAX_MS = 30_000;

/** Time and chance, which tests give by hand. */
export type Pace = {
  now: () => number;
  /** Rejects with the signal's reason. */
  sleep: (ms: number, signal: AbortSignal) => Promise<void>;
  random: () => number;
};

/**
 * How long to wait before the call is made again; null when it is not. `asked_ms` is what the provider asks for, which is given it and
 * never cut short: a call that would have to wait too long is not made again.
 */
export function pauseBefore(
  attempt: number,
  options: { begun: number; asked_ms: number | null; pace: Pace },
): number | null {
  if (attempt > ATTEMPTS_MAX) return null;
  const { now, random } = options.pace;
  const doubled = Math.min(PAUSE_MIN_MS * 2 ** (attempt - 2), PAUSE_MAX_MS);
  // Jitter upwards only when the provider named the time: earlier would be too early.
  const pause =
    options.asked_ms === null ? doubled * (0.5 + random() / 2) : options.asked_ms * (1 + random() / 10);
  return now() - options.begun + pause > RETRY_MAX_MS ? null : pause;
}

/** 429 and what the server itself got wrong (RFC 9110; 529 is Anthropic's "overloaded"), less what will be the same next time. */
export function isRetried(status: number, body: string): boolean {
  if (status === 429) return !/"insufficient_quota"|"billing_hard_limit_reached"/.test(body);
  return status >= 500 && status !== 501 && status !== 505;
}

/** What an answer asks to wait: Retry-After in seconds or as a date, its form in ms, or the RetryInfo in an error of Google's APIs. */
export function askedPause(
  headers: Record<string, string | string[] | undefined>,
  body: string,
  now: number,
): number | null {
  const in_ms = Number(headers["retry-after-ms"] ?? Number.NaN);
  if (in_ms >= 0) return in_ms;
  const after = headers["retry-after"];
  if (typeof after === "string") {
    const seconds = Number(after);
    if (after.trim() !== "" && seconds >= 0) return seconds * 1000;
    const date = Date.parse(after);
    if (!Number.isNaN(date)) return Math.max(date - now, 0);
  }
  const info = /"retryDelay"\s*:\s*"([0-9]+(?:\.[0-9]+)?)s"/.exec(body);
  return info === null ? null : Number(info[1]) * 1000;
}
