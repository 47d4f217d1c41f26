import { once } from "node:events";
import { createServer, type Server, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { AppError } from "../../contract/errors.ts";
import type { OutStream } from "../../contract/link.ts";
import { EGRESS_PORT, MODEL_PORT } from "../../contract/models.ts";
import type { OutLink } from "./out.ts";

/** Connections at the same time; together they leave room for questions among the streams of the link. */
export const CONNECTIONS_MAX: Record<OutStream, number> = { models: 64, egress: 160 };
const PORTS: Record<OutStream, number> = { models: MODEL_PORT, egress: EGRESS_PORT };

/**
 * Listens at the loopback ports where programs in the sandbox find models and the way out, and carries each connection over the link,
 * byte for byte: an end of one direction arrives as an end, a reset as a reset, and who does not read holds up who writes.
 * `ports` are others in tests, where several share one machine. Throws AppError `conflict` when something else has one of them.
 */
export async function serveOutPorts(options: {
  out: OutLink;
  models: boolean;
  egress: boolean;
  ports?: Record<OutStream, number>;
}): Promise<AsyncDisposable & { ports: Partial<Record<OutStream, number>> }> {
  const ending = new AbortController();
  const sockets = new Set<Socket>();
  const servers: Server[] = [];
  const ports: Partial<Record<OutStream, number>> = {};
  const dispose = async (): Promise<void> => {
    ending.abort();
    for (const socket of sockets) socket.destroy();
    await Promise.all(servers.map((server) => new Promise<void>((resolve) => server.close(() => resolve()))));
  };
  try {
    for (const name of ["models", "egress"] as const) {
      if (!options[name]) continue;
      const server = createServer({ allowHalfOpen: true, noDelay: true, pauseOnConnect: true }, (socket) => {
        sockets.add(socket);
        socket.once("close", () => sockets.delete(socket));
        void carry(socket, name, options.out, ending.signal);
      });
      server.maxConnections = CONNECTIONS_MAX[name];
      servers.push(server);
      server.listen((options.ports ?? PORTS)[name], "127.0.0.1");
      await once(server, "listening");
      const address = server.address();
      ports[name] = typeof address === "object" && address !== null ? address.port : PORTS[name];
    }
  } catch (cause) {
    await dispose();
    throw new AppError({
      code: "conflict",
      message: `The ports ${PORTS.models} and ${PORTS.egress} of the sandbox could not be opened: ${String(cause)}`,
      cause,
    });
  }
  return { ports, [Symbol.asyncDispose]: dispose };
}

/** Never rejects: what fails ends the program's connection with a reset. */
async function carry(socket: Socket, name: OutStream, out: OutLink, ending: AbortSignal): Promise<void> {
  const gone = new AbortController();
  const leave = (): void => gone.abort();
  socket.on("error", () => socket.destroy());
  socket.once("close", leave);
  try {
    const stream = await out.connect(name, AbortSignal.any([ending, gone.signal]));
    if (socket.destroyed) stream.destroy();
    else join(socket, stream);
  } catch {
    socket.resetAndDestroy();
  } finally {
    socket.off("close", leave);
  }
}

function join(socket: Socket, stream: Duplex): void {
  socket.once("close", () => {
    // A socket that was closed before both directions had ended was reset, or stops listening: the other side must know.
    if (!socket.readableEnded || !socket.writableFinished) stream.destroy();
  });
  stream.on("error", () => socket.resetAndDestroy());
  socket.pipe(stream);
  stream.pipe(socket);
}
