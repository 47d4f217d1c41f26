import { AppError } from "../contract/errors.ts";

const SIZE_FACTORS: Record<string, number> = { "": 1, k: 1024, m: 1024 ** 2, g: 1024 ** 3, t: 1024 ** 4 };
const TIME_FACTORS: Record<string, number> = { s: 1, m: 60, h: 3600, d: 24 * 3600 };

/** Bytes of `2g`, `512m`, `1.5GiB` or a plain number; factors are powers of 1024. Throws `usage`. */
export function parseSize(text: string): number {
  const match = /^(\d+(?:\.\d+)?)\s*([kmgt]?)(?:i?b)?$/i.exec(text.trim());
  const factor = SIZE_FACTORS[(match?.[2] ?? "").toLowerCase()];
  if (match === null || factor === undefined) throw notA("a size", text, "512m, 2g or 1.5g");
  return Math.round(Number(match[1]) * factor);
}

/** Seconds of `90`, `90s`, `15m`, `1h30m` or `2d`. Throws `usage`. */
export function parseDuration(text: string): number {
  const word = text.trim().toLowerCase();
  if (/^\d+(\.\d+)?$/.test(word)) return Number(word);
  if (!/^(\d+(\.\d+)?[smhd])+$/.test(word)) throw notA("a duration", text, "90s, 15m, 1h or 1h30m");
  let seconds = 0;
  for (const [, amount, unit] of word.matchAll(/(\d+(?:\.\d+)?)([smhd])/g)) {
    seconds += Number(amount) * (TIME_FACTORS[unit ?? "s"] ?? 1);
  }
  return seconds;
}

/** A number of the command line. Throws `usage`. */
export function parseNumber(text: string): number {
  const value = Number(text);
  if (text.trim() === "" || !Number.isFinite(value)) throw notA("a number", text, "2");
  return value;
}

/** A whole number of the command line. Throws `usage`. */
export function parseWhole(text: string): number {
  const value = parseNumber(text);
  if (!Number.isInteger(value)) throw notA("a whole number", text, "2");
  return value;
}

function notA(kind: string, text: string, examples: string): AppError {
  return new AppError({
    code: "usage",
    message: `'${text}' is not ${kind}.`,
    hint: `Write for example ${examples}.`,
  });
}

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
