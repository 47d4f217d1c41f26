import { once } from "node:events";
import { createServer, request, type Server } from "node:http";
import type { AddressInfo } from "node:net";

/** Passes HTTP on to an orchestrator, and counts the streams of events that are open. */
export class CountingProxy {
  readonly #server: Server;
  #open = 0;
  #opened = 0;

  private constructor(target: string) {
    this.#server = createServer((from, answer) => {
      const is_stream = from.url?.startsWith("/events") === true;
      const to = request(
        target + (from.url ?? "/"),
        { method: from.method, headers: from.headers },
        (reply) => {
          answer.writeHead(reply.statusCode ?? 502, reply.headers);
          answer.flushHeaders();
          reply.pipe(answer);
        },
      );
      if (is_stream) {
        this.#open += 1;
        this.#opened += 1;
      }
      answer.on("close", () => {
        if (is_stream) this.#open -= 1;
        to.destroy();
      });
      to.on("error", () => answer.destroy());
      from.pipe(to);
    });
  }

  static async start(target: string): Promise<CountingProxy> {
    const proxy = new CountingProxy(target);
    proxy.#server.listen(0, "127.0.0.1");
    await once(proxy.#server, "listening");
    return proxy;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Streams that are open now, and those that ever were. */
  get streams(): { open: number; opened: number } {
    return { open: this.#open, opened: this.#opened };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, "close");
  }
}
