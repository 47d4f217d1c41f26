import type { IncomingHttpHeaders, OutgoingHttpHeaders } from "node:http";
import type { Protocol } from "../../contract/models.ts";

/** Those of one connection only (RFC 9110, section 7.6.1), beside what `Connection` itself names. */
const HOP_BY_HOP = [
  "connection",
  "keep-alive",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
  "http2-settings",
];
/**
 * What a sandbox must not say: credentials, whose account pays, that another method is meant, where it comes from; and what is said anew
 * here.
 */
const NOT_FORWARDED =
  /^(host|content-length|expect|accept-encoding|cookie2?|authorization|api-key|x-api-key|x-goog-api-key|x-goog-user-project|x-goog-iam-.*|openai-organization|openai-project|proxy-.*|forwarded|via|x-forwarded-.*|x-real-ip|x-http-method.*|x-method-override|x-original-.*|x-rewrite-url)$/;
const NOT_RETURNED =
  /^(set-cookie2?|alt-svc|strict-transport-security|public-key-pins.*|report-to|reporting-endpoints|nel|clear-site-data|www-authenticate|proxy-.*|location|content-location|refresh|link)$/;

/** What goes to a provider: what the program said, less what is not its to say, with the real key. */
export function requestHeaders(
  given: IncomingHttpHeaders,
  protocol: Protocol,
  key: string | null,
): OutgoingHttpHeaders {
  const headers = without(given, NOT_FORWARDED);
  // So that an answer can be counted as it passes; the way from here into the sandbox is a socket of this machine.
  headers["accept-encoding"] = "identity";
  if (key === null) return headers;
  if (protocol === "google") headers["x-goog-api-key"] = key;
  else if (protocol === "anthropic") headers["x-api-key"] = key;
  else headers.authorization = `Bearer ${key}`;
  return headers;
}

/** What of an answer's head goes back into the sandbox; a value that has the key in it does not. */
export function answerHeaders(given: IncomingHttpHeaders, key: string | null): OutgoingHttpHeaders {
  const headers = without(given, NOT_RETURNED);
  for (const [name, value] of Object.entries(headers)) {
    if (key !== null && String(value).includes(key)) delete headers[name];
  }
  return headers;
}

function without(given: IncomingHttpHeaders, unwanted: RegExp): OutgoingHttpHeaders {
  const named = String(given.connection ?? "")
    .toLowerCase()
    .split(",")
    .map((name) => name.trim());
  const dropped = new Set([...HOP_BY_HOP, ...named]);
  const kept: OutgoingHttpHeaders = {};
  for (const [name, value] of Object.entries(given)) {
    if (value !== undefined && !dropped.has(name) && !unwanted.test(name)) kept[name] = value;
  }
  return kept;
}
