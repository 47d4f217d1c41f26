import { AppError } from "../contract/errors.ts";
import type { ByteRange } from "../core/job-files.ts";

/**
 * The one range of bytes that a `Range` header asks for (RFC 9110, 14.1.2), both ends inclusive; null when the whole is to be sent:
 * without the header, for other units, several ranges and malformed ones, which a server may ignore.
 * Throws AppError `range_not_satisfiable` for a range beyond the end.
 */
export function byteRange(header: string | undefined, size_bytes: number): ByteRange | null {
  const match = /^bytes=[ \t]*(\d{0,15})-(\d{0,15})[ \t]*$/i.exec(header ?? "");
  if (match === null) return null;
  const [, first = "", last = ""] = match;
  if (first === "" && last === "") return null;
  if (first === "") {
    const length = Math.min(Number(last), size_bytes);
    if (length === 0) throw beyond(size_bytes);
    return { start: size_bytes - length, end: size_bytes - 1 };
  }
  const start = Number(first);
  if (last !== "" && Number(last) < start) return null;
  if (start >= size_bytes) throw beyond(size_bytes);
  return { start, end: last === "" ? size_bytes - 1 : Math.min(Number(last), size_bytes - 1) };
}

/** Whether one of the tags in `If-None-Match` or `If-Range` is this one (RFC 9110, 13.1). */
export function namesTag(header: string, etag: string): boolean {
  return header
    .split(",")
    .map((word) => word.trim().replace(/^W\//, ""))
    .some((word) => word === "*" || word === etag);
}

function beyond(size_bytes: number): AppError {
  return new AppError({
    code: "range_not_satisfiable",
    message: `The range lies outside the ${size_bytes} bytes that there are.`,
  });
}
