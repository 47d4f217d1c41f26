import type { IncomingMessage } from "node:http";
import WebSocket from "ws";
import { AppError } from "../contract/errors.ts";
import { CLOSED } from "../contract/live-closing.ts";
import { type Client, errorOf } from "./client.ts";

/** To open something may start it: a desktop, say. */
const HANDSHAKE_MAX_MS = 90_000;
const MESSAGE_MAX_BYTES = 16 * 1024 * 1024;
/** The server pings every 30 s. A connection without a ping for this long is dead, whatever the system says. */
const SILENCE_MAX_MS = 75_000;
/** Messages that wait for who reads them; the server is held back while there are more. */
const WAITING_MAX = 16;
const REFUSAL_MAX_BYTES = 256 * 1024;
const CLOSE_WAIT_MS = 1_000;

export type Message = { bytes: Buffer } | { text: string };

/** A WebSocket of a server: messages in order, both sides held back by the other. Disposal closes it. */
export class LiveSocket implements Disposable {
  /** Resolves when it is closed: null in good order, else with why. `link_lost` for one that may be opened again. */
  readonly closed: Promise<AppError | null>;
  readonly #socket: WebSocket;
  readonly #waiting: Message[] = [];
  readonly #silence: NodeJS.Timeout;
  #is_closed = false;
  #wake: () => void = () => undefined;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    this.#silence = setTimeout(() => this.#silent(), SILENCE_MAX_MS).unref();
    socket.on("ping", () => this.#silence.refresh());
    socket.on("message", (data: Buffer, isBinary) => {
      this.#silence.refresh();
      this.#waiting.push(isBinary ? { bytes: data } : { text: data.toString() });
      if (this.#waiting.length >= WAITING_MAX) socket.pause();
      this.#wake();
    });
    this.closed = new Promise((resolve) => {
      socket.once("close", (code, reason) => {
        clearTimeout(this.#silence);
        this.#is_closed = true;
        this.#wake();
        resolve(errorOfClose(code, reason.toString()));
      });
    });
  }

  /** Throws what the server refuses it with, as every request of the client does; `unreachable` when nothing answers. */
  static async open(
    client: Client,
    call: { path: string; query?: Record<string, string | number | boolean | undefined> },
    signal: AbortSignal,
  ): Promise<LiveSocket> {
    signal.throwIfAborted();
    const { url, headers } = client.live(call);
    const socket = new WebSocket(url, {
      headers,
      handshakeTimeout: HANDSHAKE_MAX_MS,
      maxPayload: MESSAGE_MAX_BYTES,
      perMessageDeflate: false,
    });
    const opened = Promise.withResolvers<LiveSocket>();
    // At once: messages may come with the answer to the handshake.
    const live = new LiveSocket(socket);
    socket.once("open", () => opened.resolve(live));
    socket.once("unexpected-response", (_request, answer) => {
      refusalOf(answer, client.url).then(opened.reject, opened.reject);
    });
    // An error of an open socket is followed by its close.
    socket.on("error", (error) => opened.reject(client.unreachable(error)));
    const abort = (): void => opened.reject(signal.reason);
    signal.addEventListener("abort", abort, { once: true });
    try {
      return await opened.promise;
    } catch (error) {
      socket.terminate();
      throw error;
    } finally {
      signal.removeEventListener("abort", abort);
    }
  }

  /** Bytes that were sent and have not left yet. */
  get waiting_bytes(): number {
    return this.#socket.bufferedAmount;
  }

  /** All messages, until it is closed. For one reader. */
  async *messages(): AsyncGenerator<Message> {
    for (;;) {
      for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) {
        yield next;
        if (this.#waiting.length === 0 && this.#socket.isPaused) this.#socket.resume();
      }
      if (this.#is_closed) return;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  /** Resolves when the system has taken it, or the socket is closed. An object is sent as JSON. */
  send(message: Buffer | object): Promise<void> {
    const data = Buffer.isBuffer(message) ? message : JSON.stringify(message);
    // What cannot be sent any more is told by `closed`.
    return new Promise((resolve) => this.#socket.send(data, () => resolve()));
  }

  [Symbol.dispose](): void {
    if (this.#is_closed) return;
    this.#socket.close(CLOSED.done);
    setTimeout(() => this.#socket.terminate(), CLOSE_WAIT_MS).unref();
    this.#socket.resume();
  }

  #silent(): void {
    // Who is held back by us hears nothing of the server either.
    if (this.#socket.isPaused) this.#silence.refresh();
    else this.#socket.terminate();
  }
}

function errorOfClose(code: number, reason: string): AppError | null {
  if (code === CLOSED.done) return null;
  if (code === CLOSED.ended)
    return new AppError({ code: "conflict", message: reason === "" ? "The job has ended." : reason });
  if (code === CLOSED.refused)
    return new AppError({
      code: "protocol_violated",
      message: `The server refused what was sent: ${reason}`,
    });
  return new AppError({ code: "link_lost", message: reason === "" ? "The connection was lost." : reason });
}

async function refusalOf(answer: IncomingMessage, url: string): Promise<AppError> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of answer as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > REFUSAL_MAX_BYTES) break;
    chunks.push(chunk);
  }
  return errorOf(new Response(Buffer.concat(chunks), { status: answer.statusCode ?? 500 }), url);
}
