import {
  type ClientRequest,
  type IncomingMessage,
  request as openRequest,
  type ServerResponse,
} from "node:http";
import type { Duplex } from "node:stream";
import { pipeline } from "node:stream/promises";
import { AppError } from "../../contract/errors.ts";
import type { HeaderLine } from "./header-lines.ts";

/** Head of an answer from a sandbox. */
export const ANSWER_HEAD_MAX_BYTES = 64 * 1024;
/** A request on which nothing moves for this long, in either direction, is cut: a page that waits for news asks again. */
export const PASSAGE_IDLE_MS = 10 * 60_000;

export type Passage = {
  request: IncomingMessage;
  /** Path and query for the server inside. */
  path: string;
  /** Header lines for it, without those of the body. */
  lines: readonly HeaderLine[];
  /** Opens the connection into the sandbox. */
  connect: () => Promise<Duplex>;
  /** What goes to the client of the head of its answer. */
  answerLines: (raw: readonly string[]) => HeaderLine[];
  signal: AbortSignal;
};

/**
 * Passes one request into a sandbox and its answer back, both as streams that hold each other back. Each request has a connection of its
 * own, so nothing that either side sends can be taken for another request or answer. Throws AppError while nothing was answered yet; later
 * the answer is cut short.
 */
export async function passRequest(passage: Passage, response: ServerResponse): Promise<void> {
  const { request, signal } = passage;
  const lines: HeaderLine[] = [...passage.lines, ...bodyLines(request), ["Connection", "close"]];
  const stream = await passage.connect();
  // Its end is told by the request and the answer over it.
  stream.on("error", () => undefined);
  try {
    request.socket.setTimeout(PASSAGE_IDLE_MS);
    const inner = open(passage, lines, stream);
    const answered = answerOf(inner, signal);
    sendBody(request, inner);
    const answer = await answered;
    try {
      for (const name of response.getHeaderNames()) response.removeHeader(name);
      response.writeHead(statusOf(answer), passage.answerLines(answer.rawHeaders).flat());
    } catch (cause) {
      throw unanswered("sent what is no HTTP", cause);
    }
    // Who waits for events gets to know at once that they are on. The platform's own way to flush would encode headers anew, as UTF-8.
    response.write(Buffer.alloc(0));
    await pipeline(answer, response, { signal });
  } catch (error) {
    if (!response.headersSent) throw error;
    response.destroy();
  } finally {
    stream.destroy();
  }
}

function open(
  { request, path }: Pick<Passage, "request" | "path">,
  lines: readonly HeaderLine[],
  stream: Duplex,
): ClientRequest {
  try {
    return openRequest({
      createConnection: () => stream,
      method: request.method ?? "GET",
      path,
      headers: lines.flat(),
      maxHeaderSize: ANSWER_HEAD_MAX_BYTES,
    });
  } catch (cause) {
    throw new AppError({ code: "malformed_request", message: "This request cannot be passed on.", cause });
  }
}

/** How long the body is, for the server inside: as the client said, or in chunks as it comes. */
function bodyLines({ headers, method }: IncomingMessage): HeaderLine[] {
  const encoding = headers["transfer-encoding"];
  if (encoding !== undefined) {
    if (encoding.trim().toLowerCase() !== "chunked") {
      throw new AppError({
        code: "malformed_request",
        message: "A body can be sent in chunks, and not encoded otherwise in transfer.",
      });
    }
    return [["Transfer-Encoding", "chunked"]];
  }
  const length = headers["content-length"];
  if (length !== undefined) return [["Content-Length", length]];
  return method === "GET" || method === "HEAD" ? [] : [["Content-Length", "0"]];
}

function sendBody(request: IncomingMessage, inner: ClientRequest): void {
  request.on("error", () => inner.destroy());
  request.once("close", () => {
    if (!request.complete) inner.destroy();
  });
  request.pipe(inner);
}

/** The head of the answer. A server inside may answer and close before it has read the whole request. */
function answerOf(inner: ClientRequest, signal: AbortSignal): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const stop = (): void => void inner.destroy(signal.reason as Error);
    if (signal.aborted) stop();
    signal.addEventListener("abort", stop, { once: true });
    inner.once("close", () => signal.removeEventListener("abort", stop));
    inner.once("response", resolve);
    inner.once("upgrade", (_answer, stream: Duplex) => {
      stream.destroy();
      reject(unanswered("switched protocols without being asked"));
    });
    // The listener stays: what breaks later is told by the answer, too.
    inner.on("error", (cause) => reject(cause instanceof AppError ? cause : unanswered("broke off", cause)));
  });
}

function statusOf({ statusCode }: IncomingMessage): number {
  if (statusCode !== undefined && statusCode >= 200 && statusCode <= 599) return statusCode;
  throw unanswered(`answered with the status ${statusCode}`);
}

/** What the server inside did wrong, once it was connected to. */
export function unanswered(what: string, cause?: unknown): AppError {
  return new AppError({
    code: "port_unanswered",
    message: `The server in the sandbox ${what}.`,
    cause,
  });
}
