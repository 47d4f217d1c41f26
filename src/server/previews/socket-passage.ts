import { type IncomingMessage, request as openRequest, STATUS_CODES } from "node:http";
import { Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { HeaderLine } from "./header-lines.ts";
import { HeardFrames } from "./heard-frames.ts";
import { ANSWER_HEAD_MAX_BYTES, unanswered } from "./passage.ts";

/** The server inside has this long to accept a WebSocket. */
const ANSWER_WAIT_MS = 60_000;
/** How often the system makes sure that a silent client is still there. */
const KEEP_ALIVE_MS = 60_000;

export type SocketPassage = {
  path: string;
  /** Header lines for the server inside, without those of the upgrade. */
  lines: readonly HeaderLine[];
  connect: () => Promise<Duplex>;
  answerLines: (raw: readonly string[]) => HeaderLine[];
  /** Called for what a person may have sent. */
  heard: () => void;
  /** Ends the connection. */
  signal: AbortSignal;
};

/**
 * Passes a WebSocket through, handshake and then byte for byte. Resolves once the client has its answer; throws AppError before that.
 * The connection ends both ends, whichever ends first.
 */
export async function passSocket(passage: SocketPassage, socket: Duplex): Promise<void> {
  const stream = await passage.connect();
  stream.on("error", () => socket.destroy());
  socket.on("error", () => stream.destroy());
  socket.once("close", () => stream.destroy());
  if (socket.destroyed) {
    stream.destroy();
    return;
  }
  try {
    const { answer, upgraded } = await handshake(passage, stream);
    const lines = passage.answerLines(answer.rawHeaders);
    if (!upgraded) {
      sendHead(socket, answer.statusCode ?? 502, [
        ...lines.filter(([name]) => !/^content-(length|encoding)$/i.test(name)),
        ["Content-Length", "0"],
        ["Connection", "close"],
      ]);
      goodbye(socket);
      stream.destroy();
      return;
    }
    sendHead(socket, 101, [...lines, ["Connection", "Upgrade"], ["Upgrade", "websocket"]]);
    join(socket, stream, passage);
  } catch (error) {
    stream.destroy();
    throw error;
  }
}

function handshake(
  { path, lines, signal }: SocketPassage,
  stream: Duplex,
): Promise<{ answer: IncomingMessage; upgraded: boolean }> {
  return new Promise((resolve, reject) => {
    const inner = openRequest({
      createConnection: () => stream,
      path,
      headers: [...lines, ["Connection", "Upgrade"], ["Upgrade", "websocket"]].flat(),
      maxHeaderSize: ANSWER_HEAD_MAX_BYTES,
    });
    const give_up = (): void => void inner.destroy();
    const timer = setTimeout(give_up, ANSWER_WAIT_MS);
    const settled = (): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", give_up);
    };
    if (signal.aborted) give_up();
    signal.addEventListener("abort", give_up, { once: true });
    inner.on("error", (cause) => {
      settled();
      reject(unanswered("did not accept the WebSocket", cause));
    });
    inner.once("response", (answer) => {
      settled();
      answer.on("error", () => undefined).resume();
      resolve({ answer, upgraded: false });
    });
    inner.once("upgrade", (answer, _stream, head: Buffer) => {
      settled();
      if (head.length > 0) stream.unshift(head);
      resolve({ answer, upgraded: true });
    });
    inner.end();
  });
}

function join(socket: Duplex, stream: Duplex, { heard, signal }: SocketPassage): void {
  if (socket instanceof Socket) socket.setKeepAlive(true, KEEP_ALIVE_MS).setTimeout(0);
  const frames = new HeardFrames(heard);
  const end = (): void => {
    stream.destroy();
    socket.destroy();
  };
  if (signal.aborted) end();
  signal.addEventListener("abort", end, { once: true });
  socket.once("close", () => signal.removeEventListener("abort", end));
  stream.once("close", () => goodbye(socket));
  socket.on("data", (chunk: Buffer) => frames.take(chunk));
  socket.pipe(stream);
  stream.pipe(socket);
}

/** Closes once what was written has gone out; a client that never closes its own side is not waited for. */
export function goodbye(socket: Duplex): void {
  if (socket instanceof Socket) socket.destroySoon();
  else socket.end();
}

/** The lines were parsed by node:http, which lets neither line breaks nor other control characters through. */
export function sendHead(socket: Duplex, status: number, lines: readonly HeaderLine[]): void {
  const text = lines.map(([name, value]) => `${name}: ${value}\r\n`).join("");
  socket.write(`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? "Unknown"}\r\n${text}\r\n`, "latin1");
}
