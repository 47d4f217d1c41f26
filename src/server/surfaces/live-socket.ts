import type { Duplex } from "node:stream";
import type { WebSocket } from "ws";
import { AppError } from "../../contract/errors.ts";
import { CLOSED } from "../../contract/live-closing.ts";

/** A client that answers no ping for this long is gone. */
const PING_EVERY_MS = 30_000;
/** A closed socket whose client does not answer is dropped after this. */
const CLOSE_WAIT_MS = 1_000;

/** Keeps a WebSocket alive, and ends it when the signal aborts: with the code that the signal's reason stands for. */
export function keepAlive(socket: WebSocket, ending: AbortSignal): void {
  let answered = true;
  const pinging = setInterval(() => {
    // One that is held back hears no answer, whether it came or not.
    if (!answered && !socket.isPaused) socket.terminate();
    answered = false;
    socket.ping();
  }, PING_EVERY_MS);
  const end = (): void => closeFor(socket, ending.reason);
  socket.on("pong", () => {
    answered = true;
  });
  // An error is followed by the close.
  socket.on("error", () => undefined);
  socket.once("close", () => {
    clearInterval(pinging);
    ending.removeEventListener("abort", end);
  });
  if (ending.aborted) end();
  else ending.addEventListener("abort", end, { once: true });
}

/** Closes a WebSocket for what went wrong. A client that does not take the goodbye is dropped. */
export function closeFor(socket: WebSocket, error: unknown): void {
  const code = error instanceof AppError ? codeOf(error) : CLOSED.lost;
  close(socket, code, error instanceof AppError ? error.message : "The connection into the sandbox was cut.");
}

export function close(socket: WebSocket, code: number, reason = ""): void {
  // A close frame holds 123 bytes of reason (RFC 6455, 5.5).
  let told = reason;
  while (Buffer.byteLength(told) > 123) told = told.slice(0, -1);
  socket.close(code, told);
  const timer = setTimeout(() => socket.terminate(), CLOSE_WAIT_MS);
  socket.once("close", () => clearTimeout(timer));
}

function codeOf({ code }: AppError): number {
  if (code === "conflict") return CLOSED.ended;
  if (code === "shutting_down") return CLOSED.stopping;
  if (code === "protocol_violated" || code === "invalid_request" || code === "body_too_large")
    return CLOSED.refused;
  return CLOSED.lost;
}

/** Sends one message; resolves when the system has taken it, so that who waits for it never fills this process. */
export function sent(socket: WebSocket, data: Buffer | string): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.send(data, (error) => (error == null ? resolve() : reject(error)));
  });
}

/**
 * Carries bytes between a WebSocket (binary messages) and a stream, either of which holds the other back. Whichever ends, ends both.
 * `heard` is called with what the client sent. An empty message ends its direction alone.
 */
export function joinBytes(socket: WebSocket, stream: Duplex, heard: (data: Buffer) => void): void {
  stream.on("error", (error) => closeFor(socket, error));
  socket.once("close", () => stream.destroy());
  // One listener for all times: a paused socket still tells what it had taken in, which is held back by nothing.
  stream.on("drain", () => socket.resume());
  socket.on("message", (data: Buffer, isBinary) => {
    if (!isBinary) {
      close(socket, CLOSED.refused, "Only binary messages are taken here.");
      return;
    }
    heard(data);
    // An empty message is the end of what the client sends; it may still want to hear.
    if (data.length === 0) stream.end();
    if (stream.destroyed || stream.writableEnded || stream.write(data)) return;
    socket.pause();
  });
  void (async () => {
    try {
      for await (const chunk of stream.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>)
        await sent(socket, chunk);
      close(socket, CLOSED.done);
    } catch (error) {
      closeFor(socket, error);
    }
  })();
}
