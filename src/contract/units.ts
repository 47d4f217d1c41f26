/** A size for people, three digits at most: `512 B`, `1.4 KiB`, `2 GiB`. */
export function formatSize(bytes: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  const digits = unit === 0 || value >= 100 || Number.isInteger(value) ? 0 : 1;
  return `${value.toFixed(digits)} ${units[unit]}`;
}

/** A large number for people: `950`, `12.4k`, `1.2M`. */
export function formatCount(count: number): string {
  if (count < 1000) return `${Math.round(count)}`;
  // What would round to 1000k is a million.
  const [value, unit] = count < 999_500 ? [count / 1000, "k"] : [count / 1e6, "M"];
  return `${value.toFixed(value >= 99.95 ? 0 : 1).replace(/\.0$/, "")}${unit}`;
}

/** Money for people: `$0.0042`, `$0.31`, `$12.50`; what is too little to see is said so. */
export function formatCost(usd: number): string {
  if (usd >= 0.1 || usd === 0) return `$${usd.toFixed(2)}`;
  return usd < 0.0001 ? "under $0.0001" : `$${usd.toFixed(4).replace(/0{1,2}$/, "")}`;
}

/** A span for people: `40 ms`, `1.2 s`, `2 m 05 s`, `1 h 02 m`, `3 d 4 h`. */
export function formatDuration(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 59_950) return `${(ms / 1000).toFixed(1)} s`;
  return formatWholeSeconds(Math.round(ms / 1000));
}

/** The same without fractions, for a clock that ticks once a second. */
export function formatWholeSeconds(seconds: number): string {
  const two = (value: number) => String(Math.floor(value)).padStart(2, "0");
  if (seconds < 60) return `${Math.floor(seconds)} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} m ${two(seconds % 60)} s`;
  if (seconds < 24 * 3600) return `${Math.floor(seconds / 3600)} h ${two((seconds % 3600) / 60)} m`;
  return `${Math.floor(seconds / 86_400)} d ${Math.floor((seconds % 86_400) / 3600)} h`;
}

/** A span for people without what is zero: `1 h`, `30 m`, `1 h 30 m`. */
export function formatSpan(seconds: number): string {
  return formatWholeSeconds(seconds).replace(/ 0+ [hms]$/, "");
}

/** How long ago, in its largest unit alone: `3 d`. */
export function formatAge(seconds: number): string {
  return /^\d+ [smhd]/.exec(formatWholeSeconds(Math.max(0, seconds)))?.[0] ?? "";
}
