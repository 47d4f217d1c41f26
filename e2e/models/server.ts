import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { AnthropicProtocol } from "./anthropic.ts";
import { GoogleProtocol } from "./google.ts";
import { OpenAiProtocol } from "./openai.ts";
import { Play, type Respond } from "./play.ts";
import { type Generation, type Incoming, json, type ModelProtocol, type Reply } from "./protocol.ts";
import type { Answer, Said, ScenarioInput } from "./scenario.ts";

/** What a real provider takes at most. */
const BODY_MAX_BYTES = 20 * 1024 * 1024;
/** Looks like a real one, and is found by nobody by chance. */
const KEY = "AIzaScriptedKeyOfTheProvider-0123456789";
const RECORDED_MAX = 10_000;

/** A request as it came, with the status that it was answered with (null while it was not). */
export type Recorded = Incoming & { status: number | null };

/** A provider of models on a port of its own, in the forms of Google, OpenAI and Anthropic, whose models say what scenarios have them say. */
export class ModelServer {
  /** Empty when none is needed. */
  readonly key: string;
  readonly recorded: Recorded[] = [];
  /** Requests for models that nobody wrote a scenario for. */
  readonly failures: string[] = [];
  readonly #server: Server;
  readonly #protocols: readonly ModelProtocol[];
  readonly #plays = new Map<string, Play>();
  #default: Play | null = null;

  private constructor(key: string | null, models: readonly string[] | null) {
    this.key = key ?? "";
    // In this order: Google refuses a path of its own that comes without a key.
    this.#protocols = [
      new OpenAiProtocol(key, models),
      new AnthropicProtocol(key),
      new GoogleProtocol(key, models),
    ];
    this.#server = createServer((request, response) => {
      this.#answer(request, response).catch((error: unknown) => {
        if (!response.destroyed) this.failures.push(String(error));
        response.destroy();
      });
    });
  }

  /** `models` are those that there are; without it each name is one. With a null `key` none is needed, as with Ollama. */
  static async start(
    options: { key?: string | null; port?: number; models?: readonly string[] } = {},
  ): Promise<ModelServer> {
    const server = new ModelServer(options.key === undefined ? KEY : options.key, options.models ?? null);
    server.#server.listen(options.port ?? 0, "127.0.0.1");
    await once(server.#server, "listening");
    return server;
  }

  /** The address without any path; Google's and Anthropic's base URL. */
  get url(): string {
    const address = this.#server.address();
    if (typeof address !== "object" || address === null) throw new Error("The model server is closed.");
    return `http://127.0.0.1:${address.port}`;
  }

  /** OpenAI's base URL. */
  get openai_url(): string {
    return `${this.url}/v1`;
  }

  /** From now on the model of this name, or every one that has no play of its own, says what the scenario has it say. */
  play(script: ScenarioInput | Respond, model: string | null = null): Play {
    const play = new Play(script);
    if (model === null) this.#default = play;
    else this.#plays.set(model, play);
    return play;
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? "/", this.url);
    const incoming: Recorded = {
      method: request.method ?? "GET",
      path: url.pathname,
      query: url.searchParams,
      headers: request.headers,
      body: await readBody(request),
      status: null,
    };
    this.recorded.push(incoming);
    if (this.recorded.length > RECORDED_MAX) this.recorded.shift();
    const handled = this.#protocols.map((one) => one.handle(incoming)).find((one) => one !== null);
    if (handled === undefined)
      return send(response, incoming, json({ error: { message: "No such path." } }, 404));
    if ("pieces" in handled) return send(response, incoming, handled);
    await this.#generate(response, incoming, handled);
  }

  async #generate(response: ServerResponse, incoming: Recorded, generation: Generation): Promise<void> {
    const play = this.#plays.get(generation.request.model) ?? this.#default;
    if (play === null) {
      const message = `There is no scenario for the model ${generation.request.model}.`;
      this.failures.push(message);
      return send(response, incoming, generation.refuse({ status: 400, message }));
    }
    const left = new AbortController();
    response.once("close", () => left.abort());
    const answer = await play.answer(generation.request, left.signal);
    if (typeof answer === "string")
      return send(
        response,
        incoming,
        generation.refuse({ status: 400, message: `The scenario was not kept to. ${answer}` }),
      );
    const reply =
      "error" in answer ? generation.refuse(answer.error) : generation.answer(this.#withKey(answer));
    await send(response, incoming, reply, answer);
  }

  #withKey(said: Said): Said {
    return said.text === undefined ? said : { ...said, text: said.text.replaceAll("{key}", this.key) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#server.listening) return;
    const closed = once(this.#server, "close");
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }
}

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request) {
    size += chunk.length;
    if (size > BODY_MAX_BYTES) throw new Error("The request is larger than a provider takes.");
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

/** Writes piece after piece, or breaks off where the answer is cut. */
async function send(
  response: ServerResponse,
  incoming: Recorded,
  reply: Reply,
  answer: Answer | null = null,
): Promise<void> {
  let left = answer?.cut_after_bytes ?? Number.POSITIVE_INFINITY;
  if (left === 0) {
    response.destroy();
    return;
  }
  incoming.status = reply.status;
  const length = reply.pieces.reduce((sum, piece) => sum + Buffer.byteLength(piece), 0);
  const whole = reply.pieces.length === 1 ? { "content-length": length } : {};
  response.writeHead(reply.status, { ...reply.headers, ...whole });
  for (const piece of reply.pieces) {
    const bytes = Buffer.from(piece);
    await written(response, bytes.subarray(0, left));
    left -= bytes.length;
    if (left <= 0) break;
  }
  if (answer?.cut_after_bytes !== undefined) response.destroy();
  else response.end();
}

/** Each piece is on its way before the next one is written, so that readers see them apart. */
async function written(response: ServerResponse, bytes: Buffer): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  response.write(bytes, () => resolve());
  response.once("close", resolve);
  await promise;
  response.off("close", resolve);
}
