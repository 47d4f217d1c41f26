import { type IncomingHttpHeaders, performServerHandshake, type ServerHttp2Stream } from "node:http2";
import type { Socket } from "node:net";
import { byteStream } from "../contract/byte-stream.ts";
import { AppError } from "../contract/errors.ts";
import {
  OUT_ROUTES,
  OUT_STREAMS,
  OUT_WINDOW_BYTES,
  Question,
  SESSION_MEMORY_MB,
  SESSION_WINDOW_BYTES,
  STREAMS_MAX,
} from "../contract/link.ts";
import type { Log } from "../core/dependencies.ts";
import type { Outbound } from "../core/outbound.ts";
import type { OutServices } from "./out-services.ts";

/** Connections to `out` at the same time: the runner keeps one, and one that is just being lost may still be here. */
export const OUT_SESSIONS_MAX = 4;
/** Questions of one sandbox that wait for their answers. */
export const QUESTIONS_MAX = 32;
/** A question of the longest title and detail, each of its characters written as an escape, stays below this. */
const QUESTION_MAX_BYTES = 64 * 1024;
const HEADERS_MAX_BYTES = 16 * 1024;

/**
 * What one sandbox opens on `out`: it is the client there, and anything inside it may be. All its sessions together hold STREAMS_MAX
 * streams, each of which buffers at most its window here.
 */
export class LinkOut {
  readonly #id: string;
  readonly #services: OutServices;
  readonly #log: Log;
  #outbound: Outbound | null = null;
  #sessions = 0;
  #streams = 0;
  #questions = 0;

  constructor(options: { id: string; services: OutServices; log: Log }) {
    this.#id = options.id;
    this.#services = options.services;
    this.#log = options.log;
  }

  /** Who answers for what comes from now on; null leaves who does already. */
  answeredBy(outbound: Outbound | null): void {
    this.#outbound = outbound ?? this.#outbound;
  }

  /** Serves a connection until it ends. Never throws: whatever is wrong with it ends it. */
  serve(socket: Socket): void {
    if (this.#sessions >= OUT_SESSIONS_MAX) {
      socket.destroy();
      return;
    }
    this.#sessions += 1;
    socket.once("close", () => {
      this.#sessions -= 1;
    });
    const session = performServerHandshake(socket, {
      settings: {
        enablePush: false,
        initialWindowSize: OUT_WINDOW_BYTES,
        maxConcurrentStreams: STREAMS_MAX,
        maxHeaderListSize: HEADERS_MAX_BYTES,
      },
      maxSessionMemory: SESSION_MEMORY_MB,
      maxHeaderListPairs: 64,
    });
    session.setLocalWindowSize(SESSION_WINDOW_BYTES);
    session.on("error", () => socket.destroy());
    session.on("close", () => socket.destroy());
    session.on("stream", (stream, headers) => void this.#serve(stream, headers));
  }

  async #serve(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): Promise<void> {
    // Where the stream is read or written its error is met there; the listener is for the time between.
    stream.on("error", () => undefined);
    this.#streams += 1;
    stream.once("close", () => {
      this.#streams -= 1;
    });
    try {
      if (this.#streams > STREAMS_MAX) throw busy(`${STREAMS_MAX} streams are open already`);
      const outbound = this.#outbound;
      if (outbound === null) {
        throw new AppError({
          code: "not_available",
          message: "Nothing is reached out to from this sandbox.",
        });
      }
      if (headers[":method"] === "CONNECT") this.#connect(stream, headers[":authority"], outbound);
      else await this.#ask(stream, headers, outbound);
    } catch (error) {
      this.#refuse(stream, error);
    }
  }

  #connect(stream: ServerHttp2Stream, authority: string | undefined, outbound: Outbound): void {
    const name = OUT_STREAMS.find((each) => each === authority);
    if (name === undefined) {
      throw new AppError({
        code: "not_found",
        message: `There are no streams but ${OUT_STREAMS.join(", ")}.`,
      });
    }
    stream.respond({ ":status": 200 });
    const connection = byteStream(stream);
    // Who takes it over listens as well; until then, and after it let go, an error must not end this process.
    connection.on("error", () => undefined);
    this.#services[name](connection, outbound);
  }

  async #ask(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, outbound: Outbound): Promise<void> {
    if (headers[":method"] !== "POST" || headers[":path"] !== OUT_ROUTES.approvals) {
      throw new AppError({ code: "not_found", message: "There is no such route on this connection." });
    }
    if (this.#questions >= QUESTIONS_MAX) throw busy(`${QUESTIONS_MAX} questions wait already`);
    this.#questions += 1;
    const dropped = new AbortController();
    stream.once("close", () => dropped.abort());
    try {
      const decision = await outbound.ask(await question(stream), dropped.signal);
      if (stream.destroyed || stream.closed) return;
      stream.respond({ ":status": 200, "content-type": "application/json" });
      stream.end(Buffer.from(JSON.stringify(decision)));
    } finally {
      this.#questions -= 1;
    }
  }

  #refuse(stream: ServerHttp2Stream, error: unknown): void {
    if (stream.destroyed || stream.closed) return;
    if (stream.headersSent) {
      stream.destroy();
      return;
    }
    let known = error;
    if (!(known instanceof AppError)) {
      this.#log("error", "What a sandbox asked for failed.", { id: this.#id, error: String(error) });
      known = new AppError({
        code: "internal",
        message: "A fault of the orchestrator; its log has the detail.",
      });
    }
    const { status, code, message } = known as AppError;
    stream.respond({ ":status": status, "content-type": "application/json" });
    stream.end(Buffer.from(JSON.stringify({ code, message: message.slice(0, 4000) })));
    stream.resume();
  }
}

async function question(stream: ServerHttp2Stream): Promise<Question> {
  const text = (await body(stream)).toString();
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new AppError({ code: "invalid_json", message: "A question is not JSON.", cause });
  }
  const parsed = Question.safeParse(json);
  if (parsed.success) return parsed.data;
  throw new AppError({ code: "invalid_request", message: "What was sent as a question is none." });
}

/** Leaves the stream open when the body is too large, since the answer goes there. */
async function body(stream: ServerHttp2Stream): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of stream.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > QUESTION_MAX_BYTES) {
      const message = `A question is larger than ${QUESTION_MAX_BYTES} bytes.`;
      throw new AppError({ code: "body_too_large", message });
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function busy(why: string): AppError {
  return new AppError({ code: "too_many_requests", message: `The sandbox must wait: ${why}.` });
}
