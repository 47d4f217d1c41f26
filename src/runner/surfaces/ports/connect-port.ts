import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { AppError } from "../../../contract/errors.ts";
import type { TakeStream } from "../../handlers.ts";
import { passBytes } from "../pass-bytes.ts";

/** The loopback addresses in the order in which they are tried: a server that listens on one of them is found. */
const ADDRESSES = ["127.0.0.1", "::1"];
/** On loopback it takes no time, unless a server's queue of connections is full. */
const CONNECT_TIMEOUT_MS = 10_000;

/** A TCP connection to a port inside. Throws AppError `not_found` when nothing listens there. */
export async function connectPort(port: number, signal: AbortSignal): Promise<TakeStream> {
  for (const host of ADDRESSES) {
    const socket = await connected(host, port, signal);
    if (socket !== null) return passBytes(socket);
  }
  throw new AppError({ code: "not_found", message: `Nothing listens on port ${port} in the sandbox.` });
}

async function connected(host: string, port: number, signal: AbortSignal): Promise<Socket | null> {
  signal.throwIfAborted();
  const socket = connect({ host, port, noDelay: true, allowHalfOpen: true });
  try {
    await once(socket, "connect", {
      signal: AbortSignal.any([signal, AbortSignal.timeout(CONNECT_TIMEOUT_MS)]),
    });
    // A reset before somebody takes it: it is closed then.
    socket.on("error", () => socket.destroy());
    return socket;
  } catch {
    // Refused here may be taken at the other address; the caller says so when both refuse.
    socket.destroy();
    signal.throwIfAborted();
    return null;
  }
}
