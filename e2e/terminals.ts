import { EventEmitter, once } from "node:events";
import WebSocket from "ws";
import { ErrorBody } from "../src/contract/error-body.ts";
import { PATIENCE_MS, type TestOrchestrator } from "./harness.ts";

type News = { type: string } & Record<string, unknown>;

/** What is waited for comes within so much output; more would be looked through again and again. */
const RECENT_MAX_BYTES = 16 * 1024;

/** A WebSocket of a terminal or a command, as a client outside has it: what it saw, and what it was told. */
export class LiveClient {
  readonly socket: WebSocket;
  /** Output by channel; a terminal has one. */
  readonly output: { stdout: Buffer[]; stderr: Buffer[] } = { stdout: [], stderr: [] };
  readonly news: News[] = [];
  closed: { code: number; reason: string } | null = null;
  #recent = "";
  readonly #changed = new EventEmitter().setMaxListeners(0);

  private constructor(url: string, token: string, framed: boolean) {
    this.socket = new WebSocket(url, { headers: { authorization: `Bearer ${token}` } });
    this.socket.on("message", (data: Buffer, isBinary) => {
      if (!isBinary) this.news.push(JSON.parse(data.toString()));
      else {
        const bytes = framed ? data.subarray(1) : data;
        this.output[framed && data[0] === 2 ? "stderr" : "stdout"].push(bytes);
        this.#recent = (this.#recent + bytes.toString("latin1")).slice(-RECENT_MAX_BYTES);
      }
      this.#changed.emit("changed");
    });
    this.socket.on("close", (code, reason) => {
      this.closed = { code, reason: reason.toString() };
      this.#changed.emit("changed");
    });
    this.socket.on("error", () => undefined);
  }

  /** Rejects with the refusal's code and message. */
  static async terminal(
    orchestrator: TestOrchestrator,
    job_id: string,
    query: { id?: string; columns?: number; rows?: number } = {},
  ): Promise<LiveClient> {
    const words = new URLSearchParams(Object.entries(query).map(([name, value]) => [name, String(value)]));
    return LiveClient.#open(orchestrator, `/jobs/${job_id}/terminal?${words}`, false);
  }

  static async exec(
    orchestrator: TestOrchestrator,
    job_id: string,
    request: { command: string[]; cwd?: string; env?: Record<string, string> },
  ): Promise<LiveClient> {
    const client = await LiveClient.#open(orchestrator, `/jobs/${job_id}/exec`, true);
    client.send(request);
    return client;
  }

  static async #open(orchestrator: TestOrchestrator, path: string, framed: boolean): Promise<LiveClient> {
    const client = new LiveClient(
      `${orchestrator.url.replace("http", "ws")}${path}`,
      orchestrator.token,
      framed,
    );
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    client.socket.once("open", resolve);
    client.socket.once("unexpected-response", async (_request, answer) => {
      const { error } = ErrorBody.parse(JSON.parse(Buffer.concat(await answer.toArray()).toString()));
      reject(new Error(`${answer.statusCode} ${error.code}: ${error.message}`));
    });
    await promise;
    return client;
  }

  /** The id of the terminal. */
  get id(): Promise<string> {
    return this.told("opened").then(({ terminal }) => String(terminal));
  }

  type(keys: string | Buffer): void {
    this.socket.send(Buffer.from(keys));
  }

  send(message: object): void {
    this.socket.send(JSON.stringify(message));
  }

  stdin(data: string | Buffer): void {
    this.socket.send(Buffer.concat([Buffer.of(0), Buffer.from(data)]));
  }

  /** Waits until a text has come since the last one that was waited for. */
  async saw(text: string | RegExp): Promise<string> {
    const expression =
      typeof text === "string" ? new RegExp(text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")) : text;
    const found = await this.#until(() => {
      const seen = Buffer.from(this.#recent, "latin1").toString();
      const match = expression.exec(seen);
      if (match === null) return null;
      this.#recent = Buffer.from(seen.slice(match.index + match[0].length)).toString("latin1");
      return match[0];
    }, `to see ${text}`);
    return found;
  }

  told(type: string): Promise<News> {
    return this.#until(() => this.news.find((one) => one.type === type) ?? null, `to be told ${type}`);
  }

  ended(): Promise<{ code: number; reason: string }> {
    return this.#until(() => this.closed, "the end");
  }

  all(channel: "stdout" | "stderr" = "stdout"): Buffer {
    return Buffer.concat(this.output[channel]);
  }

  /** As a connection that breaks, without a goodbye. */
  drop(): void {
    this.socket.terminate();
  }

  async #until<T>(look: () => T | null, what: string): Promise<T> {
    const signal = AbortSignal.timeout(PATIENCE_MS);
    for (;;) {
      const found = look();
      if (found !== null) return found;
      if (this.closed !== null && what !== "the end")
        throw new Error(
          `it was closed (${JSON.stringify(this.closed)}) instead of ${what}; it saw ${JSON.stringify(this.#recent.slice(-2000))} and was told ${JSON.stringify(this.news)}`,
        );
      await once(this.#changed, "changed", { signal }).catch(() => {
        throw new Error(`waited too long for ${what}; it saw ${JSON.stringify(this.#recent.slice(-2000))}`);
      });
    }
  }
}

/** A job that works until it is cancelled, and does nothing. */
export async function idleJob(orchestrator: TestOrchestrator, template?: string): Promise<string> {
  const prompt = "```js\nconsole.log('it works'); setInterval(() => {}, 1000)\n```";
  const job_id = await orchestrator.schedule({ prompt, ...(template === undefined ? {} : { template }) });
  await orchestrator.untilPrinted(job_id, "it works");
  return job_id;
}
