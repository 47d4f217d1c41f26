import { strict as assert } from "node:assert";
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { type Duplex, duplexPair } from "node:stream";
import { finished } from "node:stream/promises";
import type { Egress } from "../../contract/job.ts";
import type { Registry } from "../../core/network.ts";
import type { Denial, Outbound } from "../../core/outbound.ts";
import { createEgressProxy, type EgressProxyOptions } from "./proxy.ts";

/** A proxy with one job behind it; `names` is what the resolver knows, `opens` whether a person lets hosts off the list through. */
export class TestProxy {
  readonly denied: Denial[] = [];
  readonly asked: string[] = [];
  /** Names in the order in which they were resolved. */
  readonly resolved: string[] = [];
  /** Addresses in the order in which they were connected to. */
  readonly dialled: string[] = [];
  readonly logged: string[] = [];
  readonly outbound: Outbound;
  readonly #serve: (connection: Duplex, outbound: Outbound) => void;

  constructor(options: {
    egress?: Partial<Egress>;
    names?: Record<string, string[] | (() => Promise<string[]>)>;
    registries?: Registry[];
    opens?: boolean | Promise<boolean>;
    own?: string[];
    limits?: Partial<EgressProxyOptions["limits"]>;
    times?: EgressProxyOptions["times"];
  }) {
    const fail = () => assert.fail("an egress proxy does not call this");
    this.outbound = {
      job_id: "a job",
      providers: [],
      egress: { policy: "packages", hosts: [], ...options.egress },
      reserve: fail,
      ask: fail,
      denied: (denial) => void this.denied.push(denial),
      asks: options.opens !== undefined,
      askEgress: async (host, port) => {
        this.asked.push(`${host}:${port}`);
        return options.opens ?? false;
      },
    };
    this.#serve = createEgressProxy({
      registries: async () => options.registries ?? [],
      limits: { connections: 16, bytes: null, idle_ms: 10_000, ...options.limits },
      log: (_level, message, detail) => void this.logged.push(`${message} ${JSON.stringify(detail)}`),
      lookup: async (name) => {
        this.resolved.push(name);
        const known = options.names?.[name];
        if (known === undefined) throw new Error(`no such name: ${name}`);
        return typeof known === "function" ? known() : known;
      },
      // Whatever the address, the connection stays on this machine.
      dial: (address, port) => {
        this.dialled.push(address);
        return connect({ host: "127.0.0.1", port, allowHalfOpen: true });
      },
      ownAddresses: () => options.own ?? [],
      times: options.times ?? {},
    });
  }

  /** A program's connection to the proxy. */
  connect(): Duplex {
    const [program, connection] = duplexPair();
    program.on("error", () => undefined);
    // As on the link: what ends one side without an end in good order is an error for the other.
    connection.once("close", () => setImmediate(() => program.destroy()));
    program.once("close", () => connection.destroy(new Error("The program has gone.")));
    this.#serve(connection, this.outbound);
    return program;
  }

  /** All that comes back for these bytes, until the proxy closes. */
  async say(text: string): Promise<string> {
    const program = this.connect();
    program.write(text);
    return readAll(program);
  }

  /** The answer to CONNECT, and the rules that were broken since the last question. */
  async tunnel(
    authority: string,
    host = authority,
  ): Promise<{ status: number; rules: string[]; text: string }> {
    const text = await this.say(`CONNECT ${authority} HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
    const rules = this.denied.splice(0).map(({ rule }) => rule);
    return { status: Number(/^HTTP\/1\.1 (\d{3})/.exec(text)?.[1]), rules, text };
  }
}

export async function readAll(program: Duplex): Promise<string> {
  let text = "";
  program.setEncoding("latin1");
  program.on("data", (chunk: string) => {
    text += chunk;
  });
  await finished(program, { writable: false }).catch(() => undefined);
  program.destroy();
  return text;
}

/** A server on the loopback that does with each connection what the test says. */
export async function listen(
  handle: (socket: Socket) => void,
): Promise<{ port: number; connections: Socket[] } & AsyncDisposable> {
  const connections: Socket[] = [];
  const server: Server = createServer({ allowHalfOpen: true }, (socket) => {
    connections.push(socket);
    socket.on("error", () => undefined);
    handle(socket);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    connections,
    async [Symbol.asyncDispose]() {
      for (const socket of connections) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}

/** A registry of the machine's own, which may lie on the loopback. */
export function ownRegistry(port: number, host = "registry.test"): Registry {
  return { host, port, own: true };
}
