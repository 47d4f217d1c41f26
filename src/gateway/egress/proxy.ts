import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { networkInterfaces } from "node:os";
import type { Duplex } from "node:stream";
import type { Log } from "../../core/dependencies.ts";
import type { Registry } from "../../core/network.ts";
import type { Outbound } from "../../core/outbound.ts";
import type { OutServices } from "../out-services.ts";
import { forward, readAbsolute, readConnect } from "./forward.ts";
import { type Lookup, Lookups, systemLookup } from "./lookups.ts";
import { type Dial, reach, type Surroundings, systemDial } from "./reach.ts";
import { malformed, overLimit, type Refusal, refusalAnswer, refusalBody, refusalReason } from "./refusal.ts";
import { parseAuthority, type Target } from "./target.ts";
import { Traffic, type TrafficLimits } from "./traffic.ts";
import { join } from "./tunnel.ts";

/** Request line and fields of one request. */
const HEAD_MAX_BYTES = 16 * 1024;
/** How long a connection may take until a whole head has come, the first as well as a later one. */
const HEAD_MS = 60_000;
/** How long a connection that was answered for the last time may stay, so that the other side reads the answer. */
const LAST_ANSWER_MS = 2_000;
const LOOKUP_MS = 15_000;
const CONNECT_MS = 15_000;
/** Names in events are cut to this; longer ones are none. */
const HOST_SHOWN_MAX_CHARS = 260;

export type EgressTimes = Surroundings["times"] & { head_ms: number };

export type EgressProxyOptions = {
  /** The registries that the policy `packages` means, as they are now. */
  registries: () => Promise<readonly Registry[]>;
  limits: TrafficLimits & { idle_ms: number };
  log: Log;
  /** The platform's resolver unless given. */
  lookup?: Lookup;
  /** A plain TCP connection unless given. */
  dial?: Dial;
  /** The addresses of this machine unless given. */
  ownAddresses?: () => string[];
  times?: Partial<Omit<EgressTimes, "idle_ms">>;
};

/** A program in a sandbox, and what it is asking for. */
type Client = {
  connection: Duplex;
  outbound: Outbound;
  traffic: Traffic;
  /** Requests that have no whole answer yet. */
  busy: number;
  /** Aborted when the connection has closed. */
  closed: AbortController;
  timer: NodeJS.Timeout | undefined;
};

/**
 * The forward proxy of all sandboxes, and their only way out beside models: CONNECT, and plain requests with a whole http:// address.
 * TLS stays between a program and the host that it named: what is said inside a tunnel, the name in its handshake included, is not looked at.
 */
export function createEgressProxy(options: EgressProxyOptions): OutServices["egress"] {
  const { log, registries, limits } = options;
  const times: EgressTimes = {
    head_ms: HEAD_MS,
    lookup_ms: LOOKUP_MS,
    connect_ms: CONNECT_MS,
    idle_ms: limits.idle_ms,
    ...options.times,
  };
  const surroundings: Surroundings = {
    registries,
    lookups: new Lookups(options.lookup ?? systemLookup),
    dial: options.dial ?? systemDial,
    ownAddresses: options.ownAddresses ?? interfaceAddresses,
    times,
  };
  const server = new ProxyServer({ surroundings, log, head_ms: times.head_ms });
  // One for each job, for as long as somebody knows the job.
  const traffics = new WeakMap<Outbound, Traffic>();
  return (connection, outbound) => {
    const traffic = traffics.get(outbound) ?? new Traffic(limits);
    traffics.set(outbound, traffic);
    server.accept(connection, outbound, traffic);
  };
}

class ProxyServer {
  readonly #surroundings: Surroundings;
  readonly #log: Log;
  readonly #head_ms: number;
  readonly #server: Server;
  readonly #clients = new WeakMap<Duplex, Client>();

  constructor(options: { surroundings: Surroundings; log: Log; head_ms: number }) {
    this.#surroundings = options.surroundings;
    this.#log = options.log;
    this.#head_ms = options.head_ms;
    // It never listens, so the timeouts of the platform's server, which begin there, do not run: this class has its own.
    this.#server = createServer({ maxHeaderSize: HEAD_MAX_BYTES, keepAliveTimeout: this.#head_ms });
    // Fields beyond a count would be dropped without a word, and what was checked would not be what was sent.
    this.#server.maxHeadersCount = 0;
    this.#server.on("request", (request, response) => void this.#request(request, response));
    this.#server.on("connect", (request, connection, head) => void this.#connect(request, connection, head));
    this.#server.on("clientError", (error, connection) => this.#malformed(error, connection));
  }

  accept(connection: Duplex, outbound: Outbound, traffic: Traffic): void {
    connection.on("error", () => connection.destroy());
    const client: Client = {
      connection,
      outbound,
      traffic,
      busy: 0,
      closed: new AbortController(),
      timer: undefined,
    };
    if (!traffic.enter()) {
      const refusal = overLimit("The job has as many connections open as it may.");
      deny(client, null, refusal);
      this.#last(client, refusal);
      connection.once("close", () => clearTimeout(client.timer));
      return;
    }
    this.#clients.set(connection, client);
    connection.once("close", () => {
      clearTimeout(client.timer);
      traffic.leave();
      client.closed.abort();
    });
    this.#await(client);
    this.#server.emit("connection", connection);
  }

  /** A plain request. Never rejects. */
  async #request(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const client = this.#clients.get(request.socket);
    if (client === undefined) return void request.socket.destroy();
    clearTimeout(client.timer);
    client.busy += 1;
    request.on("error", () => undefined);
    response.on("error", () => undefined);
    response.once("close", () => {
      client.busy -= 1;
      // Nobody reads the rest of a request that was answered before it had all come.
      if (!request.complete || (response.destroyed && !response.writableFinished)) this.#end(client);
      else if (client.busy === 0) this.#await(client);
    });
    const fail = (refusal: Refusal): void => answer(request, response, refusal);
    try {
      const target = readAbsolute(request);
      const socket = "rule" in target ? target : await this.#reach(client, target);
      if ("rule" in socket) {
        deny(client, "rule" in target ? askedFor(request) : target, socket);
        return fail(socket);
      }
      if (client.connection.destroyed || "rule" in target) return void socket.destroy();
      forward(request, response, { socket, target }, fail);
    } catch (error) {
      this.#fault(client, error);
    }
  }

  /** A tunnel. From here on the connection is nobody else's. Never rejects. */
  async #connect(request: IncomingMessage, connection: Duplex, head: Buffer): Promise<void> {
    const client = this.#clients.get(connection);
    // A tunnel behind a request that is still being answered would mix its bytes with that answer.
    if (client === undefined || client.busy > 0) return void connection.destroy();
    clearTimeout(client.timer);
    try {
      const target = readConnect(request);
      const socket = "rule" in target ? target : await this.#reach(client, target);
      if ("rule" in socket) {
        deny(client, "rule" in target ? askedFor(request) : target, socket);
        return this.#last(client, socket);
      }
      if (connection.destroyed) return void socket.destroy();
      connection.write("HTTP/1.1 200 Connection established\r\n\r\n");
      if (head.length > 0) socket.write(head);
      join(connection, socket);
    } catch (error) {
      this.#fault(client, error);
    }
  }

  #reach({ outbound, traffic, closed }: Client, target: Target): ReturnType<typeof reach> {
    return reach(target, { outbound, traffic }, this.#surroundings, closed.signal);
  }

  #malformed(error: Error & { code?: string }, connection: Duplex): void {
    const client = this.#clients.get(connection);
    if (client === undefined || client.busy > 0 || !connection.writable) return void connection.destroy();
    const message =
      error.code === "HPE_HEADER_OVERFLOW"
        ? `The head of a request is larger than ${HEAD_MAX_BYTES} bytes.`
        : "What was sent is not an HTTP/1.1 request.";
    const refusal = malformed(message);
    deny(client, null, refusal);
    this.#last(client, refusal);
  }

  /** Answers on a connection that no request holds, and closes it. */
  #last(client: Client, refusal: Refusal): void {
    if (client.connection.writable) client.connection.end(refusalAnswer(refusal));
    this.#end(client);
  }

  /** What a client still sends is dropped, and after a while the client too. */
  #end(client: Client): void {
    clearTimeout(client.timer);
    if (client.connection.destroyed) return;
    client.connection.resume();
    client.timer = setTimeout(() => client.connection.destroy(), LAST_ANSWER_MS);
  }

  /** Waits for a request, but not for ever. */
  #await(client: Client): void {
    clearTimeout(client.timer);
    if (!client.connection.destroyed)
      client.timer = setTimeout(() => client.connection.destroy(), this.#head_ms);
  }

  #fault({ connection, outbound, closed }: Client, error: unknown): void {
    // Whoever waited for an answer, of a person for example, has gone.
    if (!closed.signal.aborted)
      this.#log("error", "A connection out of a sandbox failed.", {
        job_id: outbound.job_id,
        error: String(error),
      });
    connection.destroy();
  }
}

/** Answers a plain request that is not forwarded. */
function answer(request: IncomingMessage, response: ServerResponse, refusal: Refusal): void {
  const body = refusalBody(refusal);
  response.writeHead(refusal.status, refusalReason(refusal), {
    "Content-Type": "application/json",
    "Content-Length": body.length,
    Connection: "close",
  });
  response.end(body);
  request.resume();
}

/** Says a refusal that broke a rule; a host that does not answer is none. */
function deny({ outbound }: Client, target: { host: string; port: number } | null, refusal: Refusal): void {
  if (refusal.rule === null) return;
  const { host = "", port = 0 } = target ?? {};
  const { rule, message, hint } = refusal;
  outbound.denied({
    host: host.slice(0, HOST_SHOWN_MAX_CHARS),
    port,
    rule,
    message: hint === "" ? message : `${message} ${hint}`,
  });
}

/** What a request that is no valid one seems to have meant, for people to read. */
function askedFor({ url = "", headers }: IncomingMessage): { host: string; port: number } {
  const authority = /^(?:[a-z][a-z0-9+.-]*:\/\/)?([^/?#]+)/i.exec(url)?.[1] ?? headers.host ?? "";
  const parsed = parseAuthority(authority);
  return { host: parsed?.host ?? authority, port: parsed?.port ?? 0 };
}

function interfaceAddresses(): string[] {
  return Object.values(networkInterfaces()).flatMap((all) => (all ?? []).map(({ address }) => address));
}
