import type { FastifyReply } from "fastify";
import { AppError } from "../contract/errors.ts";

/** The requests that are being answered: each gets a signal, and all signals abort when the server stops. */
export class OpenRequests {
  readonly #controllers = new Set<AbortController>();
  readonly #stopping = new AbortController();
  #closing = false;

  /** Aborts when the server stops: for what outlives its request, as a WebSocket does. */
  get stopping(): AbortSignal {
    return this.#stopping.signal;
  }

  get closing(): boolean {
    return this.#closing;
  }

  /** Aborts when the client is gone before its answer was complete, or when the server stops. */
  signal(reply: Pick<FastifyReply, "raw">): AbortSignal {
    const controller = new AbortController();
    if (this.#closing) controller.abort(stopping());
    if (reply.raw.destroyed) {
      // Whoever asks after an await may come too late for the event.
      controller.abort(gone());
      return controller.signal;
    }
    this.#controllers.add(controller);
    reply.raw.once("close", () => {
      this.#controllers.delete(controller);
      if (!reply.raw.writableFinished) controller.abort(gone());
    });
    return controller.signal;
  }

  close(): void {
    this.#closing = true;
    this.#stopping.abort(stopping());
    for (const controller of this.#controllers) controller.abort(stopping());
  }
}

function gone(): Error {
  return new Error("The client went away.");
}

export function stopping(): AppError {
  return new AppError({
    code: "shutting_down",
    message: "The server is stopping.",
    hint: "Jobs go on; ask again in a moment.",
  });
}
