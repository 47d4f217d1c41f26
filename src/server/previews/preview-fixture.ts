import { once } from "node:events";
import { createServer as createHttpServer, request as openRequest, type RequestListener } from "node:http";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { AppError } from "../../contract/errors.ts";
import type { LiveTarget } from "../../contract/live.ts";
import type { JobSurfaces } from "../../core/job-surfaces.ts";
import type { ServerOptions } from "../app.ts";
import { surfacesOver } from "../surfaces/job-surfaces-fixture.ts";
import { startServer, type TestServer } from "../test-server.fake.ts";

export const JUPYTER_TOKEN = "the-token-of-jupyter";

/** Test support: a server over one job at work, whose ports and Jupyter are servers of the test. */
export class PreviewWorld implements AsyncDisposable {
  readonly job_id: string;
  readonly server: TestServer;
  /** Ports of the sandbox, and the ports of this machine that stand for them. */
  readonly ports = new Map<number, number>();
  jupyter_port: number | null = null;
  /** How often somebody was at work. */
  touches = 0;
  /** Connections into the sandbox that are open. */
  connections = 0;
  readonly #ending = new AbortController();

  private constructor(server: TestServer) {
    this.server = server;
    this.job_id = server.orchestrator.add("running").job_id;
    server.orchestrator.live = this.#surfaces();
  }

  static async start(options: Partial<ServerOptions> = {}): Promise<PreviewWorld> {
    return new PreviewWorld(await startServer(options));
  }

  endJob(): void {
    this.#ending.abort();
  }

  /** Opens a preview as an API client does. */
  async open(what: string, query = "", token?: string): Promise<URL> {
    const answer = await fetch(`${this.server.url}/jobs/${this.job_id}/${what}/open${query}`, {
      method: "POST",
      headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
    });
    const body = (await answer.json()) as { url: string };
    if (answer.status !== 200) throw new Error(JSON.stringify(body));
    return new URL(body.url);
  }

  /** Opens a preview and goes to it as a browser does; then it is open: its host, and the cookie for it. */
  async enter(what: string, token?: string): Promise<{ host: string; cookie: string }> {
    const url = await this.open(what, "", token);
    const answer = await this.ask({ host: url.host, path: url.pathname + url.search, headers: NAVIGATION });
    const cookie = answer.headers["set-cookie"]?.[0]?.split(";")[0] ?? "";
    return { host: url.host, cookie };
  }

  /** One request, as a browser or a program sends it. */
  async ask(asked: {
    host: string;
    path?: string;
    method?: string;
    headers?: Record<string, string | string[]>;
    body?: string;
  }): Promise<Answer> {
    const { host, path = "/", method = "GET", headers = {}, body } = asked;
    const request = openRequest({
      port: this.server.port,
      path,
      method,
      headers: { host, ...headers },
      agent: false,
    });
    request.end(body);
    const [answer] = await once(request, "response");
    const text = Buffer.concat(await answer.toArray()).toString();
    return { status: answer.statusCode, headers: answer.headers, raw: answer.rawHeaders, text };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ending.abort();
    await this.server[Symbol.asyncDispose]();
  }

  #surfaces(): JobSurfaces {
    const live = {
      connect: (target: LiveTarget) => this.#connect(target),
      service: async () => ({ token: JUPYTER_TOKEN }),
      ports: async () => ({
        ports: [...this.ports.keys()].map((port) => ({
          port,
          address: "127.0.0.1",
          pid: null,
          process: null,
        })),
      }),
      desktop: async () => undefined,
      touch: async () => undefined,
    };
    const touched = (): void => {
      this.touches += 1;
    };
    return surfacesOver(live, { job_id: this.job_id, ending: this.#ending.signal, touched });
  }

  async #connect(target: LiveTarget): Promise<Socket> {
    const port = target === "jupyter" ? this.jupyter_port : this.ports.get(Number(target.split(".")[1]));
    if (port === undefined || port === null)
      throw new AppError({ code: "not_found", message: "Nothing listens there." });
    const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
    await once(socket, "connect");
    this.connections += 1;
    socket.once("close", () => {
      this.connections -= 1;
    });
    return socket;
  }
}

export type Answer = {
  status: number;
  headers: Record<string, string | undefined> & { "set-cookie"?: string[] };
  raw: string[];
  text: string;
};

/** What Chromium sends with a navigation from another site. */
export const NAVIGATION = {
  "sec-fetch-site": "cross-site",
  "sec-fetch-mode": "navigate",
  "sec-fetch-dest": "document",
};
/** What it sends with a page's own requests. */
export const OWN = { "sec-fetch-site": "same-origin", "sec-fetch-mode": "cors", "sec-fetch-dest": "empty" };

/** A server inside that answers each request with the same bytes and notes what it was sent, byte for byte. */
export class RawServer implements AsyncDisposable {
  readonly heard: string[] = [];
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(server: Server) {
    this.#server = server;
  }

  static async listen(answer: string | ((socket: Socket, heard: string) => void)): Promise<RawServer> {
    const server = createServer({ allowHalfOpen: true });
    const raw = new RawServer(server);
    server.on("connection", (socket) => {
      raw.#sockets.add(socket);
      const index = raw.heard.push("") - 1;
      socket.on("error", () => undefined);
      socket.once("close", () => raw.#sockets.delete(socket));
      socket.on("data", (chunk) => {
        const before = raw.heard[index] ?? "";
        raw.heard[index] = before + chunk.toString("latin1");
        const whole = raw.heard[index] ?? "";
        if (before.includes("\r\n\r\n") || !whole.includes("\r\n\r\n")) return;
        if (typeof answer === "function") answer(socket, whole);
        else socket.end(answer, "latin1");
      });
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return raw;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
  }
}

/** An HTTP server inside. */
export async function listenHttp(answer: RequestListener): Promise<AsyncDisposable & { port: number }> {
  const server = createHttpServer(answer).listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      server.close();
      server.closeAllConnections();
    },
  };
}
