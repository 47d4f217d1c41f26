import { Agent, type IncomingMessage, type OutgoingHttpHeaders, request } from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";
import type { Transform } from "node:stream";
import { createBrotliDecompress, createGunzip, createInflate, createZstdDecompress } from "node:zlib";

/** From a request to a connection, TLS included. */
const CONNECT_MAX_MS = 30_000;
/** A model may think for minutes before the first byte of its answer; longer than this nobody waits. */
const SILENCE_MAX_MS = 15 * 60_000;
/** Connections to one provider at the same time, and those that are kept for later. */
const SOCKETS_MAX = 256;
const FREE_SOCKETS_MAX = 16;
/** Provider and network may be well again in a moment; all else (a wrong name, a certificate) will be as wrong then. */
const PASSING_FAULTS = [
  "ECONNREFUSED",
  "ECONNRESET",
  "EPIPE",
  "ETIMEDOUT",
  "EAI_AGAIN",
  "ENETUNREACH",
  "EHOSTUNREACH",
];

export type UpstreamRequest = {
  url: URL;
  method: string;
  headers: OutgoingHttpHeaders;
  body: Buffer;
};

/** The way to providers: certificates are checked, redirects are never followed, nothing is decoded. */
export class Upstream implements Disposable {
  readonly #http: Agent;
  readonly #https: HttpsAgent;

  /** `proxy` are the variables of an environment that names a proxy, for machines that reach out through one. */
  constructor(options: { proxy: Record<string, string | undefined> | null }) {
    const agent = {
      keepAlive: true,
      maxSockets: SOCKETS_MAX,
      maxFreeSockets: FREE_SOCKETS_MAX,
      ...(options.proxy === null ? {} : { proxyEnv: options.proxy }),
    };
    this.#http = new Agent(agent);
    this.#https = new HttpsAgent(agent);
  }

  /** Resolves with the head of an answer, whatever its status. Rejects with the signal's reason or the fault of the connection. */
  send({ url, method, headers, body }: UpstreamRequest, signal: AbortSignal): Promise<IncomingMessage> {
    const secure = url.protocol === "https:";
    const options = { method, headers: { ...headers, "content-length": body.length }, signal };
    return new Promise((resolve, reject) => {
      const outgoing = secure
        ? httpsRequest(url, { ...options, agent: this.#https })
        : request(url, { ...options, agent: this.#http });
      // Counted from when there is a socket for it: waiting for a free one is not the provider's slowness.
      outgoing.once("socket", (socket) => {
        if (!socket.connecting) return;
        const late = setTimeout(() => outgoing.destroy(fault("ETIMEDOUT", "no connection")), CONNECT_MAX_MS);
        socket.once(secure ? "secureConnect" : "connect", () => clearTimeout(late));
        socket.once("close", () => clearTimeout(late));
      });
      outgoing.setTimeout(SILENCE_MAX_MS, () => outgoing.destroy(fault("ETIMEDOUT", "no answer")));
      outgoing.once("response", resolve);
      // Stays for what comes after the head, which the answer's own stream tells as well.
      outgoing.on("error", (error) => reject(signal.aborted ? signal.reason : error));
      outgoing.end(body);
    });
  }

  [Symbol.dispose](): void {
    this.#http.destroy();
    this.#https.destroy();
  }
}

export function isPassing(error: unknown): boolean {
  return error instanceof Error && "code" in error && PASSING_FAULTS.includes(String(error.code));
}

/** What decodes a body; null for one that is not encoded, undefined for an encoding that is not known. */
export function decoderOf(encoding: string | undefined): Transform | null | undefined {
  switch ((encoding ?? "identity").trim().toLowerCase()) {
    case "identity":
    case "":
      return null;
    case "gzip":
    case "x-gzip":
      return createGunzip();
    case "deflate":
      return createInflate();
    case "br":
      return createBrotliDecompress();
    case "zstd":
      return createZstdDecompress();
    default:
      return undefined;
  }
}

function fault(code: string, what: string): Error {
  return Object.assign(new Error(`The provider gave ${what} in time.`), { code });
}
