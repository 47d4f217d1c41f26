import type { Duplex } from "node:stream";
import type { WebSocket } from "ws";
import { z } from "zod";
import { AppError, ERRORS, type ErrorCode } from "../../contract/errors.ts";
import { controlFrame, controlOf, encodeFrame, type Frame, readFrames } from "../../contract/frames.ts";
import { CLOSED } from "../../contract/live-closing.ts";
import { ProcessNews, type ProcessOrder, type ProcessRequest } from "../../contract/surfaces.ts";
import { close, closeFor, sent } from "./live-socket.ts";

/** What a client sent: bytes, or the JSON of a text (undefined where it is none). */
export type Message = { bytes: Buffer } | { json: unknown };

/** A process of a sandbox, spoken to over the link. The stream is the opener's to destroy. */
export class LinkedProcess {
  readonly stream: Duplex;
  readonly #frames: AsyncGenerator<Frame>;

  constructor(stream: Duplex) {
    this.stream = stream;
    // The stream is destroyed when its WebSocket closes, and by nothing before that: the last words must arrive.
    this.#frames = readFrames(stream.iterator({ destroyOnReturn: false }));
  }

  begin(request: ProcessRequest): void {
    this.stream.write(controlFrame(request));
  }

  /** The first word of the process. Throws AppError with what it was refused with; the signal cuts the stream. */
  async opened(signal: AbortSignal): Promise<Extract<ProcessNews, { type: "opened" }>> {
    const cut = (): void => void this.stream.destroy();
    signal.addEventListener("abort", cut, { once: true });
    if (signal.aborted) cut();
    try {
      const first = await this.#frames.next();
      if (first.done === true) throw broken("it said nothing");
      const news = newsOf(first.value);
      if (news.type === "refused") throw refusalOf(news);
      if (news.type !== "opened") throw broken("it did not say that it has begun");
      return news;
    } catch (error) {
      this.stream.destroy();
      throw signal.aborted ? signal.reason : error;
    } finally {
      signal.removeEventListener("abort", cut);
    }
  }

  /**
   * Hands on what the client of a WebSocket sends, which is held back while the sandbox takes its time. `read` says what a message is; a
   * text refuses it, and with it the client.
   */
  type(socket: WebSocket, read: (message: Message) => Frame | ProcessOrder | ProcessRequest | string): void {
    let held = false;
    const resume = (): void => {
      held = false;
      socket.resume();
    };
    this.stream.on("drain", resume);
    this.stream.once("close", resume);
    socket.on("message", (data: Buffer, isBinary) => {
      if (socket.readyState !== socket.OPEN || this.stream.destroyed) return;
      const sent = read(isBinary ? { bytes: data } : { json: jsonOf(data.toString()) });
      if (typeof sent === "string") return close(socket, CLOSED.refused, sent);
      const has_room = this.stream.write("channel" in sent ? encodeFrame(sent) : controlFrame(sent));
      if (has_room || held) return;
      held = true;
      socket.pause();
    });
  }

  /** What comes after the first word, as messages of a WebSocket: news as JSON text, output as `output` makes it. Closes the WebSocket after the last. */
  async show(socket: WebSocket, output: (frame: Frame) => Buffer): Promise<void> {
    try {
      for await (const frame of this.#frames) {
        if (frame.channel === "stdin") throw broken("it sent input");
        if (frame.channel !== "control") await sent(socket, output(frame));
        else await sent(socket, JSON.stringify(newsOf(frame)));
      }
      close(socket, CLOSED.done);
    } catch (error) {
      closeFor(socket, error);
    }
  }
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function newsOf(frame: Frame): ProcessNews {
  const parsed = z.safeParse(ProcessNews, frame.channel === "control" ? controlOf(frame) : null);
  if (parsed.success) return parsed.data;
  throw broken("it said what cannot be understood");
}

/** What a runner may refuse a process with. */
const CODES: readonly ErrorCode[] = [
  "conflict",
  "internal",
  "invalid_path",
  "invalid_request",
  "not_found",
  "protocol_violated",
];

function refusalOf({ code, message }: Extract<ProcessNews, { type: "refused" }>): AppError {
  const known = Object.hasOwn(ERRORS, code) ? CODES.find((each) => each === code) : undefined;
  return known === undefined
    ? broken("it was refused for no reason")
    : new AppError({ code: known, message });
}

function broken(what: string): AppError {
  return new AppError({
    code: "protocol_violated",
    message: `A process in the sandbox broke the rules: ${what}.`,
  });
}
