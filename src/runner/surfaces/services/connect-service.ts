import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { AppError } from "../../../contract/errors.ts";
import { untilAborted } from "../until-aborted.ts";
import type { Service } from "./service.ts";

/** It may end between the word that it is ready and the connection; it is started again then, once its end is noticed. */
const ATTEMPTS_MAX = 5;
const ATTEMPT_DELAY_MS = 100;

/**
 * A connection to a unix socket of a service, which starts unless it runs, and is in use until the connection closes.
 * Throws AppError `conflict` when it takes none or cannot be started, and the signal's reason.
 */
export async function connectService(service: Service, path: string, signal: AbortSignal): Promise<Socket> {
  for (let attempt = 1; ; attempt += 1) {
    const use = await service.use(signal);
    const socket = connect({ path, allowHalfOpen: true });
    socket.once("close", () => use[Symbol.dispose]());
    try {
      await once(socket, "connect", { signal });
      // Who closes it is told by its end; an error has no other listener.
      socket.on("error", () => socket.destroy());
      return socket;
    } catch (cause) {
      socket.destroy();
      signal.throwIfAborted();
      if (attempt === ATTEMPTS_MAX)
        throw new AppError({
          code: "conflict",
          message: `${service.title} takes no connections at the moment.`,
          cause,
        });
    }
    await untilAborted(sleep(ATTEMPT_DELAY_MS), signal);
  }
}
