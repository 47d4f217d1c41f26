import { AppError, type ErrorCode } from "../contract/errors.ts";

const UNREACHABLE = new Set([
  "ECONNREFUSED",
  "ECONNRESET",
  "ENOENT",
  "EACCES",
  "EPIPE",
  "ETIMEDOUT",
  "EHOSTUNREACH",
  "ENOTFOUND",
]);

/** The HTTP status with which the engine refused; null when the error is none of the engine's answers. */
export function engineStatus(error: unknown): number | null {
  const status = error instanceof Error && "statusCode" in error ? error.statusCode : null;
  return typeof status === "number" ? status : null;
}

/** What the engine said in its answer, without the wrapping of its client. */
export function engineMessage(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const json = "json" in error ? error.json : null;
  if (typeof json === "object" && json !== null && "message" in json && typeof json.message === "string") {
    return json.message;
  }
  return error.message;
}

/**
 * Any failure of an engine call as what callers may see: the signal's reason after an abort, an AppError as it is,
 * `engine_unreachable` when no answer came or the engine itself failed, else `code` with what the engine said.
 */
export function engineError(
  error: unknown,
  options: { doing: string; code: ErrorCode; signal?: AbortSignal },
): unknown {
  if (options.signal?.aborted === true) return options.signal.reason;
  if (error instanceof AppError) return error;
  const status = engineStatus(error);
  if (status !== null) {
    return new AppError({
      code: options.code,
      message: `The engine refused while ${options.doing}: ${engineMessage(error)}`,
      hint: "Run `sealwork doctor`; it says what is wrong with the engine or the image.",
      cause: error,
    });
  }
  const code = error instanceof Error && "code" in error ? error.code : null;
  if (typeof code === "string" && UNREACHABLE.has(code)) {
    return new AppError({
      code: "engine_unreachable",
      message: `The container engine did not answer while ${options.doing} (${code}).`,
      hint: "Start the engine again; `sealwork doctor` says how.",
      cause: error,
    });
  }
  return error;
}
