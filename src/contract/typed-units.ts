import { AppError } from "./errors.ts";

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

/** Bytes as `parseSize` reads them, in the largest unit that says them exactly: `2g`, `1536m`. */
export function writeSize(bytes: number): string {
  const unit = ["t", "g", "m", "k"].find((one) => bytes > 0 && bytes % (SIZE_FACTORS[one] ?? 1) === 0);
  return unit === undefined ? `${bytes}` : `${bytes / (SIZE_FACTORS[unit] ?? 1)}${unit}`;
}

/** Seconds as `parseDuration` reads them, in the largest unit that says them exactly: `1h`, `90m`, `90s`. */
export function writeDuration(seconds: number): string {
  const unit = ["d", "h", "m"].find((one) => seconds > 0 && seconds % (TIME_FACTORS[one] ?? 1) === 0) ?? "s";
  return `${seconds / (TIME_FACTORS[unit] ?? 1)}${unit}`;
}

/** A number as people write it. Throws `usage`. */
export function parseNumber(text: string): number {
  const value = Number(text);
  if (text.trim() === "" || !Number.isFinite(value)) throw notA("a number", text, "2");
  return value;
}

/** A whole number as people write it. Throws `usage`. */
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
