import { STATUS_CODES } from "node:http";
import type { Socket } from "node:net";
import { VERSION_HEADER } from "../contract/api.ts";
import { AppError } from "../contract/errors.ts";
import { VERSION } from "../contract/version.ts";

/** Answers what the HTTP parser refused, in the format of all other errors, and closes the connection. */
export function answerSocketError(error: Error & { code?: string }, socket: Socket): void {
  // After a reset nobody reads, and into an answer that is under way no second one can be written.
  const answering = Reflect.get(socket, "_httpMessage") as { headersSent?: boolean } | null | undefined;
  if (error.code === "ECONNRESET" || !socket.writable || answering?.headersSent === true) {
    socket.destroy();
    return;
  }
  const shown = whatWentWrong(error);
  const body = JSON.stringify(shown.toBody());
  socket.end(
    `HTTP/1.1 ${shown.status} ${STATUS_CODES[shown.status]}\r\n` +
      "Content-Type: application/json; charset=utf-8\r\n" +
      `Content-Length: ${Buffer.byteLength(body)}\r\n` +
      `${VERSION_HEADER}: ${VERSION}\r\n` +
      "X-Content-Type-Options: nosniff\r\n" +
      `Connection: close\r\n\r\n${body}`,
    // Who only ever sends would keep the half-closed connection for ever.
    () => socket.destroySoon(),
  );
}

function whatWentWrong(error: { code?: string }): AppError {
  if (error.code === "HPE_HEADER_OVERFLOW")
    return new AppError({
      code: "headers_too_large",
      message: "The request line and headers are too large.",
    });
  if (error.code === "ERR_HTTP_REQUEST_TIMEOUT")
    return new AppError({ code: "request_timeout", message: "The request did not arrive in time." });
  return new AppError({ code: "malformed_request", message: "What was sent is not an HTTP/1.1 request." });
}
