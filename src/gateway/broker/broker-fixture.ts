import { once } from "node:events";
import { createServer, type IncomingHttpHeaders, request, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { type Duplex, duplexPair } from "node:stream";
import type { Provider } from "../../contract/api.ts";
import { AppError } from "../../contract/errors.ts";
import { modelInfo } from "../../contract/model-table.ts";
import { PROTOCOLS, type Protocol } from "../../contract/models.ts";
import type { Estimate, ModelCall, Outbound } from "../../core/outbound.ts";
import { type Broker, createBroker } from "./broker.ts";
import type { Pace } from "./retry.ts";

/** Test support: a real HTTP server as the provider, the broker, and a program that calls it over a connection of its own. */
export const KEY = "AIzaSy-real/key+0123456789=";
export type Seen = { method: string; url: string; headers: IncomingHttpHeaders; body: string };
export type Provide = (response: ServerResponse, seen: Seen, n: number) => void;
export type Answer = { status: number; headers: IncomingHttpHeaders; body: Buffer; whole: boolean };

export class BrokerWorld implements AsyncDisposable {
  readonly seen: Seen[] = [];
  readonly settled: ModelCall[] = [];
  readonly reserved: Estimate[] = [];
  readonly logged: string[] = [];
  readonly slept: number[] = [];
  /** What the job still has, in tokens. */
  left = Number.POSITIVE_INFINITY;
  readonly #server: Server;
  readonly #broker: Broker;
  readonly outbound: Outbound;
  readonly #settling = new EventTarget();

  private constructor(server: Server, pace: Partial<Pace>, path: string) {
    this.#server = server;
    const { port } = server.address() as AddressInfo;
    const providers = PROTOCOLS.map(
      (protocol): Provider => ({
        name: protocol,
        protocol,
        base_url: `http://127.0.0.1:${port}${path}`,
        has_key: true,
        default_model: null,
      }),
    );
    let time = 0;
    this.#broker = createBroker({
      providers: [...providers, { ...(providers[0] as Provider), name: "other" }],
      keys: new Map(PROTOCOLS.map((name) => [name, KEY])),
      modelInfo: (provider, model) => modelInfo({}, provider, model),
      log: (level, message, detail) => this.logged.push(`${level} ${message} ${JSON.stringify(detail)}`),
      pace: {
        now: () => time,
        random: () => 0,
        sleep: async (ms) => {
          time += ms;
          this.slept.push(ms);
        },
        ...pace,
      },
    });
    this.outbound = {
      job_id: "j",
      providers: [...PROTOCOLS],
      egress: { policy: "none", hosts: [] },
      reserve: async (estimate) => {
        if (estimate.input_tokens + estimate.output_tokens > this.left)
          throw new AppError({ code: "budget_exhausted", message: "The budget of the job is used up." });
        this.reserved.push(estimate);
        return {
          settle: async (call) => {
            this.settled.push(call);
            this.#settling.dispatchEvent(new Event("settled"));
          },
        };
      },
      asks: false,
      askEgress: async () => false,
      denied: () => undefined,
      ask: async () => ({ n: 1, decision: "deny" }),
    };
  }

  static async open(
    provide: Provide,
    given: { pace?: Partial<Pace>; path?: string } = {},
  ): Promise<BrokerWorld> {
    const server = createServer(async (request, response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
      const seen = {
        method: request.method ?? "",
        url: request.url ?? "",
        headers: request.headers,
        body: Buffer.concat(chunks).toString(),
      };
      world.seen.push(seen);
      provide(response, seen, world.seen.length);
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const world = new BrokerWorld(server, given.pace ?? {}, given.path ?? "");
    return world;
  }

  get models(): Broker["models"] {
    return this.#broker.models;
  }

  /** A connection of a program to the broker. */
  connection(): Duplex {
    const [program, broker] = duplexPair();
    this.#broker.models(broker, this.outbound);
    program.on("error", () => program.destroy());
    // As over the link, where a side that is dropped is dropped on the other side as well.
    program.once("close", () => broker.destroy());
    broker.once("close", () => {
      if (!broker.writableFinished) program.destroy();
    });
    return program;
  }

  async call(
    path: string,
    options: { method?: string; headers?: Record<string, string>; body?: unknown } = {},
  ): Promise<Answer> {
    const body = typeof options.body === "string" ? options.body : JSON.stringify(options.body ?? {});
    const method = options.method ?? "POST";
    const outgoing = request({
      createConnection: () => this.connection(),
      method,
      path,
      headers: { host: "127.0.0.1:24801", connection: "close", ...options.headers },
    });
    outgoing.end(method === "GET" ? undefined : body);
    const [response] = await once(outgoing, "response");
    const chunks: Buffer[] = [];
    let whole = true;
    try {
      for await (const chunk of response) chunks.push(chunk);
    } catch {
      whole = false;
    }
    return { status: response.statusCode, headers: response.headers, body: Buffer.concat(chunks), whole };
  }

  /** The n-th settled call, as soon as there is one. */
  async settledCall(n = 1): Promise<ModelCall> {
    while (this.settled.length < n) await once(this.#settling, "settled");
    return this.settled[n - 1] as ModelCall;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#broker[Symbol.asyncDispose]();
    this.#server.closeAllConnections();
    const closed = once(this.#server, "close");
    this.#server.close();
    await closed;
  }
}

/** A request that each protocol takes for a short answer. */
export const CALLS: Record<Protocol, { path: string; body: Record<string, unknown> }> = {
  google: {
    path: "/google/v1beta/models/gemini-2.5-flash:generateContent",
    body: { contents: [{ parts: [{ text: "Hello" }] }], generationConfig: { maxOutputTokens: 100 } },
  },
  openai: {
    path: "/openai/chat/completions",
    body: { model: "gpt-x", max_completion_tokens: 100, messages: [{ role: "user", content: "Hello" }] },
  },
  anthropic: {
    path: "/anthropic/v1/messages",
    body: { model: "claude-x", max_tokens: 100, messages: [{ role: "user", content: "Hello" }] },
  },
};

export const sse = (...events: unknown[]): string =>
  events.map((event) => `data: ${typeof event === "string" ? event : JSON.stringify(event)}\n\n`).join("");
