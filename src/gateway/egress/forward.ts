import {
  type ClientRequest,
  request as httpRequest,
  type IncomingMessage,
  type ServerResponse,
} from "node:http";
import type { Socket } from "node:net";
import { malformed, type Refusal, refused, unreachable } from "./refusal.ts";
import { parseAuthority, parseHost, type Target } from "./target.ts";

const HTTP_PORT = 80;
/** Fields of one connection (RFC 9110, section 7.6.1, and the older ones), which end at a proxy; this one answers Expect itself. */
const HOP_BY_HOP = new Set([
  "connection",
  "expect",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

/** Where a plain request goes, and what is asked for there. */
export function readAbsolute(request: IncomingMessage): (Target & { path: string }) | Refusal {
  const url = request.url ?? "";
  const [, scheme = "", authority = "", path = ""] =
    /^([a-z][a-z0-9+.-]*):\/\/([^/?#]*)([^#]*)/i.exec(url) ?? [];
  if (scheme === "")
    return malformed(
      "This is a proxy: it takes CONNECT host:port and requests with a whole http:// address.",
    );
  if (scheme.toLowerCase() !== "http")
    return malformed(`${scheme}: is not forwarded; ask for a tunnel with CONNECT.`);
  const parsed = parseAuthority(authority);
  const host = parsed === null ? null : parseHost(parsed.host);
  if (parsed === null || host === null) return badName(authority);
  const target = { ...host, port: parsed.port ?? HTTP_PORT };
  const encoding = request.headers["transfer-encoding"];
  if (encoding !== undefined && encoding.toLowerCase() !== "chunked")
    return malformed(`The transfer encoding ${encoding} is not forwarded.`);
  return checkHost(request, target) ?? { ...target, path: path.startsWith("/") ? path : `/${path}` };
}

/** Where a tunnel goes. */
export function readConnect(request: IncomingMessage): Target | Refusal {
  const parsed = parseAuthority(request.url ?? "");
  const host = parsed === null ? null : parseHost(parsed.host);
  if (parsed === null || host === null) return badName(request.url ?? "");
  if (parsed.port === null) return malformed("CONNECT takes a host with a port.");
  const target = { ...host, port: parsed.port };
  return checkHost(request, target) ?? target;
}

/** A Host field may leave the port out, as some programs do; what it says must be the target. */
function checkHost({ rawHeaders }: IncomingMessage, target: Target): Refusal | null {
  const given = rawHeaders.filter(
    (_, index) => index % 2 === 1 && rawHeaders[index - 1]?.toLowerCase() === "host",
  );
  for (const text of given) {
    const parsed = parseAuthority(text);
    const host = parsed === null ? null : parseHost(parsed.host);
    if (host?.host === target.host && (parsed?.port ?? target.port) === target.port) continue;
    return refused(
      "host_mismatch",
      `Host says ${text.slice(0, 100)}, the request goes to ${target.host}:${target.port}.`,
    );
  }
  return given.length > 1 ? refused("host_mismatch", "Host was given more than once.") : null;
}

/**
 * Sends a request on over a socket that was opened for it alone and passes the answer back. `fail` says what to answer when none comes;
 * an answer that breaks off breaks the client's connection, so that it never looks whole.
 */
export function forward(
  request: IncomingMessage,
  response: ServerResponse,
  upstream: { socket: Socket; target: Target & { path: string } },
  fail: (refusal: Refusal) => void,
): void {
  const { socket, target } = upstream;
  let over = false;
  const failed = (): void => {
    socket.destroy();
    if (over) return;
    over = true;
    if (response.headersSent) response.destroy();
    else fail(unreachable(`${target.host}:${target.port} gave no valid HTTP answer.`));
  };
  let sent: ClientRequest;
  try {
    const kept = endToEnd(request.rawHeaders, ["host", "content-length"]);
    const headers = ["Host", hostField(target), ...kept, ...framing(request), "Connection", "close"];
    const { method = "GET" } = request;
    // Without an agent, which would keep the socket for other requests, of other jobs even.
    sent = httpRequest({ createConnection: () => socket, method, path: target.path, headers });
  } catch {
    // What the parser takes and the client of the same platform does not send: characters in the path or in a field.
    failed();
    return;
  }
  sent.on("error", failed);
  sent.once("close", failed);
  sent.on("response", (answer) => {
    answer.on("error", failed);
    answer.once("end", () => {
      over = true;
    });
    try {
      const kept = endToEnd(answer.rawHeaders, lengthBeside(answer));
      response.sendDate = false;
      response.writeHead(answer.statusCode ?? 502, answer.statusMessage ?? "", kept);
    } catch {
      failed();
      return;
    }
    answer.pipe(response);
  });
  response.once("close", () => socket.destroy());
  request.on("error", () => socket.destroy());
  request.pipe(sent);
}

/** How the body is framed on the way out: as it came, decided by nothing but what the parser read. */
function framing({ headers, method = "GET" }: IncomingMessage): string[] {
  if (headers["transfer-encoding"] !== undefined) return ["Transfer-Encoding", "chunked"];
  const length = headers["content-length"];
  if (length !== undefined) return ["Content-Length", length];
  return method === "POST" || method === "PUT" || method === "PATCH" ? ["Content-Length", "0"] : [];
}

/** A length beside a transfer encoding means nothing (RFC 9112, section 6.3). */
function lengthBeside({ headers }: IncomingMessage): string[] {
  return headers["transfer-encoding"] === undefined ? [] : ["content-length"];
}

/** Fields as they came, without those of the connection, those that its Connection field names, and those that are left out. */
function endToEnd(raw: readonly string[], left_out: readonly string[]): string[] {
  const named = new Set(left_out);
  for (const [name, value] of pairs(raw))
    if (name.toLowerCase() === "connection")
      for (const option of value.split(",")) named.add(option.trim().toLowerCase());
  if (!left_out.includes("content-length")) named.delete("content-length");
  return pairs(raw)
    .filter(([name]) => !HOP_BY_HOP.has(name.toLowerCase()) && !named.has(name.toLowerCase()))
    .flat();
}

function pairs(raw: readonly string[]): [string, string][] {
  return raw.flatMap((name, index): [string, string][] =>
    index % 2 === 0 ? [[name, raw[index + 1] ?? ""]] : [],
  );
}

function hostField({ host, port }: Target): string {
  return port === HTTP_PORT ? host : `${host}:${port}`;
}

function badName(text: string): Refusal {
  return malformed(`"${text.slice(0, 100)}" is not the name of a host.`, "name");
}
