import { createHmac } from "node:crypto";
import { IDEMPOTENCY_KEY_MAX_CHARS } from "../contract/api.ts";
import { AppError } from "../contract/errors.ts";
import type { JobRequest } from "../contract/job.ts";

/**
 * What an `Idempotency-Key` stands for. The fingerprint is over the job with its defaults filled in, whatever the order of its fields, and
 * whether files came along; not over the files, whose bytes are still on their way when it is needed.
 * It is keyed, so that who sees it alone cannot try out what `env` may be.
 * Throws AppError `invalid_request` for a key that is empty, too long or not printable.
 */
export function idempotencyOf(
  header: string | string[] | undefined,
  request: JobRequest,
  { multipart, secret }: { multipart: boolean; secret: string },
): { key: string; fingerprint: string } | null {
  if (header === undefined) return null;
  if (
    typeof header !== "string" ||
    !/^[\x21-\x7e]+$/.test(header) ||
    header.length > IDEMPOTENCY_KEY_MAX_CHARS
  ) {
    const msg = `The key must be 1 to ${IDEMPOTENCY_KEY_MAX_CHARS} printable ASCII characters without spaces.`;
    throw new AppError({
      code: "invalid_request",
      message: `Idempotency-Key: ${msg}`,
      details: [{ loc: ["header", "idempotency-key"], msg, type: "value_error" }],
    });
  }
  const text = JSON.stringify([multipart, sorted(request)]);
  return { key: header, fingerprint: createHmac("sha256", secret).update(text).digest("hex") };
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return entries.map(([name, inner]) => [name, sorted(inner)]);
}
