import { DASHBOARD_NAME } from "../contract/sign-in-api.ts";

/** A request's head, or the first record of TLS; no browser's is longer. */
const OPENING_MAX_BYTES = 64 * 1024;
const METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE"];
const FOR_DASHBOARD = new RegExp(
  `^host:[ \\t]*${DASHBOARD_NAME.replace(".", "\\.")}\\.?(:\\d*)?[ \\t]*$`,
  "im",
);
const TLS_HANDSHAKE = 0x16;
const TLS_HEADER_BYTES = 5;

/** What a client that came by the dashboard's name is answered at a local port. */
export const REFUSAL =
  "HTTP/1.1 403 Forbidden\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\nCache-Control: no-store\r\n\r\n" +
  `This port leads into a sandbox, and ${DASHBOARD_NAME} is where your sign-in is. Use localhost instead.\n`;

/**
 * Whether what a client sends first through a local port may go on into a sandbox. A browser sends the dashboard's cookie to every port of the
 * dashboard's name, so a page that led it to this port by that name would let the sandbox have the cookie. Browsers use a connection for
 * one name only, so its opening says it for all that follows. `wait`: that cannot be told yet.
 */
export function judgeOpening(bytes: Buffer): "pass" | "refuse" | "wait" {
  const judged = bytes[0] === TLS_HANDSHAKE ? judgeTls(bytes) : judgeHttp(bytes.toString("latin1"));
  return judged === "wait" && bytes.length > OPENING_MAX_BYTES ? "refuse" : judged;
}

/** Every other protocol passes as soon as it is seen to be one. */
function judgeHttp(text: string): "pass" | "refuse" | "wait" {
  const may_be_http = METHODS.some((method) => `${method} `.startsWith(text.slice(0, method.length + 1)));
  if (!may_be_http) return "pass";
  const [first = "", ...lines] = text.split(/\r?\n/);
  if (lines.length === 0) return "wait";
  if (!/ HTTP\/1\.[01]$/.test(first)) return "pass";
  // The last one may not be whole yet.
  if (FOR_DASHBOARD.test(lines.slice(0, -1).join("\n"))) return "refuse";
  return /\r?\n\r?\n/.test(text) ? "pass" : "wait";
}

/** The name that is asked for stands in the first record as it is (RFC 6066, 3). */
function judgeTls(bytes: Buffer): "pass" | "refuse" | "wait" {
  if (bytes.length < TLS_HEADER_BYTES) return "wait";
  const length = TLS_HEADER_BYTES + bytes.readUInt16BE(3);
  if (bytes.subarray(0, length).includes(DASHBOARD_NAME)) return "refuse";
  return bytes.length < length ? "wait" : "pass";
}
