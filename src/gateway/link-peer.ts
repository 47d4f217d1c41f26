import type {
  ClientHttp2Session,
  ClientHttp2Stream,
  ClientSessionRequestOptions,
  IncomingHttpHeaders,
  IncomingHttpStatusHeader,
  OutgoingHttpHeaders,
} from "node:http2";
import { connect, constants } from "node:http2";
import type { Socket } from "node:net";
import type { Duplex, Readable } from "node:stream";
import { byteStream } from "../contract/byte-stream.ts";
import { readBounded, type Trailers, trailersOf } from "../contract/checked-stream.ts";
import { AppError, ERRORS, type ErrorCode } from "../contract/errors.ts";
import {
  PING_TIMEOUT_MS,
  SESSION_MEMORY_MB,
  SESSION_WINDOW_BYTES,
  STREAM_WINDOW_BYTES,
  STREAMS_MAX,
} from "../contract/link.ts";
import { LinkError } from "../contract/link-answers.ts";

/** A JSON answer of a runner is at most this large. */
export const ANSWER_MAX_BYTES = 1024 * 1024;
/** How often a connection is pinged. */
const PING_INTERVAL_MS = 5_000;
/** What a runner may say no with. Any other code from it is a breach of the rules. */
const RUNNER_CODES: readonly ErrorCode[] = [
  "invalid_json",
  "invalid_path",
  "invalid_request",
  "invalid_upload",
  "not_found",
  "conflict",
  "precondition_failed",
  "disk_full",
  "body_too_large",
  "range_not_satisfiable",
  "not_available",
  "internal",
  "shutting_down",
  "link_lost",
  "protocol_violated",
];

export type Request = {
  method: "GET" | "POST";
  route: string;
  query?: Record<string, string | number>;
  /** Sent as JSON. */
  body?: unknown;
  /** The caller writes the body, ending with trailers. */
  streams?: boolean;
  /** Of the answer, where it is JSON; ANSWER_MAX_BYTES unless said otherwise. */
  answer_max_bytes?: number;
};
export type LinkTimes = {
  /** From a connection to its hello. */
  hello_ms: number;
  /** From a request to the head of its answer, and between two parts of one. A sandbox may be very busy. */
  answer_ms: number;
  ping_ms: number;
};
export const LINK_TIMES: LinkTimes = { hello_ms: 5_000, answer_ms: 60_000, ping_ms: PING_TIMEOUT_MS };

/** The windows of `control` and `bulk`. */
const REQUEST_WINDOWS = {
  stream_bytes: STREAM_WINDOW_BYTES,
  session_bytes: SESSION_WINDOW_BYTES,
  memory_mb: SESSION_MEMORY_MB,
};
export type LinkWindows = typeof REQUEST_WINDOWS;

/** Told of a stream at once, to write its body; `moved` says that a piece of it was taken, which gives the answer time again. */
type Opened = (stream: ClientHttp2Stream, moved: () => void) => void;
type Answer = {
  stream: ClientHttp2Stream;
  headers: IncomingHttpHeaders & IncomingHttpStatusHeader;
  trailers: Trailers;
};

/**
 * One connection that something in a sandbox opened, with us as its HTTP/2 client. Nothing that comes over it is trusted:
 * heads, answers and pings are bounded in size and time, and whatever breaks it only aborts `lost`.
 */
export class LinkPeer {
  readonly #session: ClientHttp2Session;
  readonly #socket: Socket;
  readonly #times: LinkTimes;
  readonly #lost = new AbortController();
  readonly #pinging: NodeJS.Timeout;

  constructor(socket: Socket, times: LinkTimes, windows: LinkWindows = REQUEST_WINDOWS) {
    this.#socket = socket;
    this.#times = times;
    this.#session = connect("http://runner", {
      createConnection: () => socket,
      settings: {
        enablePush: false,
        initialWindowSize: windows.stream_bytes,
        maxConcurrentStreams: STREAMS_MAX,
      },
      maxSessionMemory: windows.memory_mb,
      maxReservedRemoteStreams: 0,
      maxHeaderListPairs: 64,
    });
    this.#session.once("connect", () => this.#session.setLocalWindowSize(windows.session_bytes));
    this.#session.on("error", (error) => this.destroy(`its connection broke: ${error.message}`));
    this.#session.on("goaway", () => this.destroy("the runner said that it goes away"));
    this.#session.on("close", () => this.destroy("its connection was closed"));
    this.#pinging = setInterval(() => void this.ping(), PING_INTERVAL_MS);
  }

  /** Aborted, with AppError `link_lost` as the reason, when the connection is gone. */
  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  destroy(why: string): void {
    if (this.#lost.signal.aborted) return;
    clearInterval(this.#pinging);
    this.#lost.abort(linkLost(why));
    this.#session.destroy();
    this.#socket.destroy();
  }

  /** Whether the other side answers a ping in time; when it does not, the connection is given up. */
  async ping(): Promise<boolean> {
    if (this.#lost.signal.aborted) return false;
    const answered = await new Promise<boolean>((resolve) => {
      const timer = setTimeout(() => {
        // When this process itself was held up, the answer waits to be read: one turn of the loop reads it.
        setImmediate(() => setImmediate(() => resolve(false)));
      }, this.#times.ping_ms);
      const sent = this.#session.ping((error) => {
        clearTimeout(timer);
        resolve(error === null);
      });
      if (sent) return;
      clearTimeout(timer);
      resolve(false);
    });
    if (!answered) this.destroy("it did not answer a ping");
    return answered;
  }

  /**
   * Sends a request and resolves with the head of a good answer. Rejects with what the runner said no with, the signal's reason,
   * AppError `link_lost` or `protocol_violated`. An abort closes the stream, also later.
   */
  async open(request: Request, signal: AbortSignal, opened?: Opened): Promise<Answer> {
    signal.throwIfAborted();
    this.#lost.signal.throwIfAborted();
    const stream = this.#request(request);
    const trailers = trailersOf(stream);
    const abort = (): void => drop(stream);
    signal.addEventListener("abort", abort, { once: true });
    stream.once("close", () => signal.removeEventListener("abort", abort));
    const { head, moved } = this.#head(stream);
    opened?.(stream, moved);
    try {
      const headers = await head;
      if (headers[":status"] === 200) return { stream, headers, trailers };
      throw refusalOf(await readJson(stream, () => stream.rstCode, this.#times));
    } catch (error) {
      drop(stream);
      throw this.#because(error, signal);
    }
  }

  /** Opens a stream of bytes to `authority`. Rejects as `open` does. The signal ends the opening, not the stream. */
  async connect(authority: string, signal: AbortSignal): Promise<Duplex> {
    signal.throwIfAborted();
    this.#lost.signal.throwIfAborted();
    const stream = this.#begin({ ":method": "CONNECT", ":authority": authority }, { endStream: false });
    const bytes = byteStream(stream);
    // Whoever takes it over listens as well; until then an error must not end this process.
    bytes.on("error", () => undefined);
    const { promise: aborted, reject } = Promise.withResolvers<never>();
    const abort = (): void => reject(signal.reason);
    signal.addEventListener("abort", abort, { once: true });
    try {
      const headers = await Promise.race([this.#head(stream).head, aborted]);
      if (headers[":status"] === 200) return bytes;
      // A stream of bytes that was cut errors by itself; reading it to its end resets what was to be written.
      throw refusalOf(await readJson(bytes, () => constants.NGHTTP2_NO_ERROR, this.#times));
    } catch (error) {
      bytes.destroy();
      throw this.#because(error, signal);
    } finally {
      signal.removeEventListener("abort", abort);
    }
  }

  /** A request whose answer is JSON, bounded in size and time. */
  async json(request: Request, signal: AbortSignal, opened?: Opened): Promise<unknown> {
    const { stream } = await this.open(request, signal, opened);
    try {
      return await readJson(stream, () => stream.rstCode, this.#times, request.answer_max_bytes);
    } catch (error) {
      throw this.#because(error, signal);
    } finally {
      drop(stream);
    }
  }

  #request({ method, route, query, body, streams }: Request): ClientHttp2Stream {
    const search = new URLSearchParams(
      Object.entries(query ?? {}).map(([name, value]) => [name, String(value)]),
    );
    const path = search.size === 0 ? route : `${route}?${search}`;
    const hasBody = body !== undefined || streams === true;
    const stream = this.#begin(
      { ":method": method, ":path": path },
      { endStream: !hasBody, waitForTrailers: streams === true },
    );
    if (body !== undefined) stream.end(Buffer.from(JSON.stringify(body)));
    return stream;
  }

  #begin(headers: OutgoingHttpHeaders, options: ClientSessionRequestOptions): ClientHttp2Stream {
    let stream: ClientHttp2Stream;
    try {
      stream = this.#session.request(headers, options);
    } catch (cause) {
      throw linkLost("its connection takes no more requests", cause);
    }
    // Each step meets the stream's error where it waits; between two steps nobody does, and the next one finds it closed.
    stream.on("error", () => undefined);
    return stream;
  }

  /** The head of an answer, which must come in time: counted from the request, or from the last time that its body `moved`. */
  #head(stream: ClientHttp2Stream): { head: Promise<Answer["headers"]>; moved: () => void } {
    const { promise: head, resolve, reject } = Promise.withResolvers<Answer["headers"]>();
    const timer = setTimeout(() => {
      reject(linkLost(`a request had no answer for ${this.#times.answer_ms} ms`));
    }, this.#times.answer_ms);
    stream.once("response", (headers) => {
      clearTimeout(timer);
      resolve(headers);
    });
    stream.once("close", () => {
      clearTimeout(timer);
      reject(linkLost("a request was dropped unanswered"));
    });
    let settled = false;
    const settle = (): void => {
      settled = true;
    };
    head.then(settle, settle);
    const moved = (): void => {
      // A timer that was cleared would be set again by refresh.
      if (!settled) timer.refresh();
    };
    return { head, moved };
  }

  /** The first cause: an abort of the caller, then the loss of the connection, then what was thrown. */
  #because(error: unknown, signal: AbortSignal): unknown {
    if (signal.aborted) return signal.reason;
    if (this.#lost.signal.aborted) return this.#lost.signal.reason;
    return error;
  }
}

export function linkLost(why: string, cause?: unknown): AppError {
  return new AppError({ code: "link_lost", message: `The link to a sandbox was lost: ${why}.`, cause });
}

export function violated(what: string): AppError {
  return new AppError({
    code: "protocol_violated",
    message: `The runner broke the rules of the link: ${what}.`,
  });
}

/**
 * Closes a stream, whatever state it is in. Closing one whose body is still being written would end the body first, and on Node 26 a body
 * that has trailers to come then makes the platform spin for ever: a runner that answers an upload early could stop this process.
 */
function drop(stream: ClientHttp2Stream): void {
  if (stream.writableFinished) stream.close(constants.NGHTTP2_CANCEL);
  else
    stream.destroy(
      Object.assign(new Error("The request was dropped."), { code: "ERR_STREAM_PREMATURE_CLOSE" }),
    );
}

async function readJson(
  stream: Readable,
  rstCode: () => number,
  times: LinkTimes,
  max_bytes = ANSWER_MAX_BYTES,
): Promise<unknown> {
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    stream.destroy();
  }, times.answer_ms);
  let text: string;
  try {
    text = (await readBounded(stream, max_bytes)).toString();
  } catch (error) {
    if (error instanceof AppError && error.code === "body_too_large") {
      throw violated(`an answer is larger than ${max_bytes} bytes`);
    }
    throw late ? linkLost(`an answer did not end for ${times.answer_ms} ms`, error) : error;
  } finally {
    clearTimeout(timer);
  }
  if (late || rstCode() !== constants.NGHTTP2_NO_ERROR) throw linkLost("an answer was cut short");
  try {
    return JSON.parse(text);
  } catch {
    throw violated("an answer is not JSON");
  }
}

function refusalOf(answer: unknown): AppError {
  const parsed = LinkError.safeParse(answer);
  if (!parsed.success) return violated("it refused a request without saying why");
  const { code, message } = parsed.data;
  const known = Object.hasOwn(ERRORS, code) && RUNNER_CODES.find((each) => each === code);
  return known
    ? new AppError({ code: known, message })
    : violated(`it refused a request with the code ${JSON.stringify(code)}`);
}
