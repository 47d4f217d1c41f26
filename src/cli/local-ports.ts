import { createServer, type Server, type Socket } from "node:net";
import { AppError } from "../contract/errors.ts";
import type { Client } from "./client.ts";
import { judgeOpening, REFUSAL } from "./dashboard-guard.ts";
import { LiveSocket } from "./live-socket.ts";

/** Only programs of this machine may come through. */
const HOST = "127.0.0.1";
/** Connections through one local port at the same time. */
const CONNECTIONS_MAX = 256;
/** Who was refused and does not close its side is cut off after this. */
const REFUSED_WAIT_MS = 1_000;

export type LocalPort = {
  /** What each connection is made to. */
  call: { path: string; query?: Record<string, string | undefined> };
  /** The port to listen on; 0 takes any that is free. */
  port: number;
  /** Tries any free port when that one is taken. */
  or_any: boolean;
};

/**
 * Listens on a port of this machine and carries each connection to it over a WebSocket of its own, until disposed. A connection whose link
 * is lost is closed, as TCP has it: whoever wants to go on connects again. `failed` is told why one could not be made, or was lost.
 */
export async function openLocalPort(
  client: Client,
  { call, port, or_any }: LocalPort,
  failed: (error: AppError) => void,
): Promise<AsyncDisposable & { port: number }> {
  const ending = new AbortController();
  const joined = new Set<Promise<void>>();
  const server = createServer({ noDelay: true, pauseOnConnect: true, allowHalfOpen: true }, (socket) => {
    const join = joinSocket(client, { call, socket }, ending.signal)
      .catch((error: unknown) => {
        if (!ending.signal.aborted) failed(asAppError(error));
      })
      .finally(() => joined.delete(join));
    joined.add(join);
  });
  server.maxConnections = CONNECTIONS_MAX;
  const listening = await listen(server, port).catch((error: unknown) => {
    if (or_any) return listen(server, 0);
    throw error;
  });
  return {
    port: listening,
    async [Symbol.asyncDispose]() {
      ending.abort();
      server.close();
      await Promise.all(joined);
    },
  };
}

async function joinSocket(
  client: Client,
  { call, socket }: { call: LocalPort["call"]; socket: Socket },
  ending: AbortSignal,
): Promise<void> {
  const gone = new AbortController();
  // Its close follows and says all that there is to say: the program went away.
  socket.on("error", () => undefined);
  socket.once("close", () => gone.abort());
  const signal = AbortSignal.any([ending, gone.signal]);
  let refused = false;
  try {
    using live = await LiveSocket.open(client, call, signal);
    const stop = (): void => live[Symbol.dispose]();
    signal.addEventListener("abort", stop, { once: true });
    // What was sent so far, until it is known that it may go on.
    let opening: Buffer | null = Buffer.alloc(0);
    const send = (bytes: Buffer): void => {
      opening = null;
      socket.pause();
      void live.send(bytes).then(() => socket.resume());
    };
    socket.on("data", (bytes: Buffer) => {
      if (opening === null) return send(bytes);
      opening = Buffer.concat([opening, bytes]);
      const judged = judgeOpening(opening);
      if (judged === "pass") send(opening);
      if (judged !== "refuse") return;
      refused = true;
      socket.removeAllListeners("data").end(REFUSAL);
      socket.setTimeout(REFUSED_WAIT_MS, () => socket.destroy());
      stop();
    });
    // An empty message is the end of what this side sends; the other one may go on.
    socket.once("end", () => {
      if (opening !== null && opening.length > 0 && !refused) send(opening);
      void live.send(Buffer.alloc(0));
    });
    socket.resume();
    for await (const message of live.messages()) {
      if ("bytes" in message && !socket.write(message.bytes)) await room(socket);
    }
    if (refused) return;
    const error = signal.aborted ? null : await live.closed;
    if (error !== null) throw error;
    socket.end();
  } catch (error) {
    socket.resetAndDestroy();
    if (!gone.signal.aborted) throw error;
  }
}

function room(socket: Socket): Promise<void> {
  if (socket.destroyed) return Promise.resolve();
  return new Promise((resolve) => {
    const settle = (): void => {
      socket.off("drain", settle);
      socket.off("close", settle);
      resolve();
    };
    socket.on("drain", settle);
    socket.on("close", settle);
  });
}

function listen(server: Server, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const failed = (cause: NodeJS.ErrnoException): void => {
      const why = cause.code === "EADDRINUSE" ? "it is taken" : cause.message;
      reject(
        new AppError({
          code: "usage",
          message: `Port ${port} of this machine cannot be used: ${why}.`,
          hint: "Name another one.",
          cause,
        }),
      );
    };
    server.once("error", failed);
    server.listen(port, HOST, () => {
      server.off("error", failed);
      const address = server.address();
      resolve(typeof address === "object" && address !== null ? address.port : port);
    });
  });
}

function asAppError(error: unknown): AppError {
  if (error instanceof AppError) return error;
  return new AppError({ code: "internal", message: `A fault of Sealwork: ${String(error)}`, cause: error });
}
