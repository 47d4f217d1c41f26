import type { ServerResponse } from "node:http";
import type { AppError } from "../../contract/errors.ts";
import type { Protocol } from "../../contract/models.ts";

/** gRPC's names of statuses, as Google's APIs write them beside the number (google.rpc.Code). */
const GOOGLE_STATUS: Record<number, string> = {
  400: "INVALID_ARGUMENT",
  403: "PERMISSION_DENIED",
  413: "INVALID_ARGUMENT",
  429: "RESOURCE_EXHAUSTED",
  500: "INTERNAL",
  502: "UNAVAILABLE",
  503: "UNAVAILABLE",
};
const ANTHROPIC_TYPE: Record<number, string> = {
  400: "invalid_request_error",
  403: "permission_error",
  413: "request_too_large",
  429: "rate_limit_error",
  503: "overloaded_error",
};

/** Answers with an error of ours in the form that a program which speaks the protocol reads: its message, and whether to try again. */
export function answerError(response: ServerResponse, protocol: Protocol, error: AppError): void {
  if (response.destroyed) return;
  if (response.headersSent) {
    response.destroy();
    return;
  }
  // A body has no place for 422 in any of these protocols.
  const status = error.status === 422 ? 400 : error.status;
  const message = error.hint === undefined ? error.message : `${error.message} ${error.hint}`;
  const body = Buffer.from(JSON.stringify(shaped(protocol, status, error.code, message)));
  response.writeHead(status, {
    "content-type": "application/json",
    "content-length": body.length,
    // What the SDKs of OpenAI and Anthropic go by before they look at the status.
    "x-should-retry": error.retryable ? "true" : "false",
  });
  response.end(body);
}

function shaped(protocol: Protocol, status: number, code: string, message: string): unknown {
  switch (protocol) {
    case "google":
      return {
        error: {
          code: status,
          message,
          status: GOOGLE_STATUS[status] ?? "UNKNOWN",
          details: [
            {
              "@type": "type.googleapis.com/google.rpc.ErrorInfo",
              reason: code.toUpperCase(),
              domain: "sealwork",
            },
          ],
        },
      };
    case "anthropic":
      return { type: "error", error: { type: ANTHROPIC_TYPE[status] ?? "api_error", message } };
    case "openai":
      return { error: { message, type: code, param: null, code } };
  }
}
