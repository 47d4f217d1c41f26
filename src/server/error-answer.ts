import type { FastifyError, FastifyReply, FastifyRequest } from "fastify";
import { AppError, type ErrorCode } from "../contract/errors.ts";
import type { Log } from "../core/dependencies.ts";
import { drain } from "./request-body.ts";

/** What `Retry-After` says for errors after which the same call may succeed. */
const RETRY_AFTER_S = 2;

/** Fastify's and its plugins' own codes, in our words. */
const FRAMEWORK_ERRORS: Record<string, { code: ErrorCode; message: string; hint?: string }> = {
  FST_ERR_CTP_INVALID_JSON_BODY: { code: "invalid_json", message: "The body is not valid JSON." },
  FST_ERR_CTP_EMPTY_JSON_BODY: { code: "invalid_json", message: "The body is empty." },
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: {
    code: "malformed_request",
    message: "The body is not as long as Content-Length says.",
  },
  FST_ERR_CTP_INVALID_MEDIA_TYPE: {
    code: "unsupported_media_type",
    message: "This content type is not taken here.",
    hint: "Send Content-Type: application/json; `POST /schedule` takes multipart/form-data too.",
  },
  FST_ERR_CTP_INVALID_TYPE: {
    code: "unsupported_media_type",
    message: "The Content-Type header is malformed.",
  },
  FST_ERR_CTP_BODY_TOO_LARGE: {
    code: "body_too_large",
    message: "The body is larger than this server takes.",
    hint: "Send large content as files of a multipart body.",
  },
  FST_ERR_BAD_URL: { code: "invalid_path", message: "The URL has a malformed percent-encoding." },
  FST_ERR_MAX_PARAM_LENGTH: { code: "invalid_path", message: "A part of the URL is too long." },
  FST_PARTS_LIMIT: { code: "body_too_large", message: "The upload has too many parts." },
  FST_FILES_LIMIT: { code: "body_too_large", message: "The upload has too many files." },
  FST_REQ_FILE_TOO_LARGE: { code: "body_too_large", message: "A part of the upload is too large." },
  FST_PROTO_VIOLATION: {
    code: "invalid_upload",
    message: "A part of the upload has a name that is not allowed.",
  },
  FST_MP_PREMATURE_CLOSE: { code: "invalid_upload", message: "The upload ended before it was complete." },
};

/** Makes of anything thrown the error that the client sees. What is not known becomes `internal`, without a detail. */
export function toAppError(error: unknown): AppError {
  if (error instanceof AppError) return error;
  const { code, statusCode, message } = error as Partial<FastifyError>;
  const known = code === undefined ? undefined : FRAMEWORK_ERRORS[code];
  if (known !== undefined) return new AppError({ ...known, cause: error });
  if (error instanceof SyntaxError && statusCode === 400)
    return new AppError({ code: "invalid_json", message: "The body is not valid JSON.", cause: error });
  // The multipart parser's own errors have no code.
  if (code === undefined && /multipart|terminated early|malformed part header/i.test(message ?? ""))
    return new AppError({
      code: "invalid_upload",
      message: "The multipart body is malformed or ends too early.",
      cause: error,
    });
  return new AppError({
    code: "internal",
    message: "The server has a fault.",
    hint: "Its log has the detail.",
    cause: error,
  });
}

/** Sends an error as every answer of 400 and above looks. Logs what only the server may know. */
export function sendError(error: unknown, request: FastifyRequest, reply: FastifyReply, log: Log): void {
  const shown = toAppError(error);
  if (shown.status === 500) {
    log("error", "A request failed.", {
      request_id: request.id,
      method: request.method,
      route: request.routeOptions.url ?? null,
      error: error instanceof Error ? (error.stack ?? error.message) : String(error),
      cause: error instanceof Error && error.cause instanceof Error ? error.cause.message : undefined,
    });
  }
  if (shown.retryable && !reply.hasHeader("retry-after")) reply.header("retry-after", RETRY_AFTER_S);
  if (shown.code === "unauthorized") reply.header("www-authenticate", 'Bearer realm="sealwork"');
  if (shown.code === "body_too_large") {
    // A client that still sends reads no answer, and one whose connection is cut meanwhile sees only that.
    reply.removeHeader("connection");
    void drain(request.raw);
  }
  // The body may be in any state of being read, so what was said about content of the planned answer no longer holds.
  for (const header of ["content-length", "content-range", "content-disposition", "etag", "accept-ranges"])
    reply.removeHeader(header);
  void reply
    .code(shown.status)
    .type("application/json; charset=utf-8")
    .serializer((body: unknown) => JSON.stringify(body))
    .send(shown.toBody());
}
