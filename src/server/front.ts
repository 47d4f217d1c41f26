import type { EventEmitter } from "node:events";
import { createServer, type IncomingMessage, type RequestListener, type Server } from "node:http";
import type { Duplex } from "node:stream";

/** Who answers requests to the names of previews, which are not this server's own. */
export type PreviewHost = {
  /** Whether a `Host` header names a preview, one that has ended or never was included. */
  owns(host: string | undefined): boolean;
  request: RequestListener;
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void;
};

/** A connection on which nothing moves for this long is closed; streams have their own rule. */
const CONNECTION_IDLE_MS = 120_000;
/** Clients may keep an idle connection for their next request; longer than common proxies do, so that those never meet a closed one. */
const KEEP_ALIVE_MS = 72_000;

/**
 * The one server that listens. By the name that a request is sent to it goes to the API or to a preview: they share a port and nothing else.
 * `upgrades` gets what asks the API for a WebSocket.
 */
export function createFront(api: RequestListener, previews: PreviewHost, upgrades: EventEmitter): Server {
  // Any other protocol that a client wants to switch to is ignored, as it may be, and its request answered.
  const shouldUpgradeCallback = ({ headers }: IncomingMessage) =>
    headers.upgrade?.toLowerCase() === "websocket";
  const server = createServer({ shouldUpgradeCallback }, (request, response) => {
    if (previews.owns(request.headers.host)) previews.request(request, response);
    else api(request, response);
  });
  server.on("upgrade", (request, socket, head) => {
    if (previews.owns(request.headers.host)) previews.upgrade(request, socket, head);
    else upgrades.emit("upgrade", request, socket, head);
  });
  server.setTimeout(CONNECTION_IDLE_MS);
  server.keepAliveTimeout = KEEP_ALIVE_MS;
  // A large upload over a slow line takes as long as it takes; what does not move is caught by the idle time above.
  server.requestTimeout = 0;
  return server;
}
