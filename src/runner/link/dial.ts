import { once } from "node:events";
import { performServerHandshake } from "node:http2";
import { connect } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import {
  SESSION_MEMORY_MB,
  SESSION_WINDOW_BYTES,
  STREAM_WINDOW_BYTES,
  STREAMS_MAX,
} from "../../contract/link.ts";
import type { RunnerHandlers } from "../handlers.ts";
import type { Outbox } from "../outbox.ts";
import { serveRequest } from "./serve.ts";

/** The first pause before a socket is dialled again, and the longest; each pause doubles the one before. */
const REDIAL_MIN_MS = 50;
const REDIAL_MAX_MS = 2_000;
/** A connection that lived this long was a good one: after it the pauses begin small again. */
const SETTLED_MS = 5_000;

/**
 * Dials `control` and `bulk` in the folder of sockets and answers what the orchestrator asks there (HTTP/2, roles turned round).
 * A connection that is lost, refused, or whose socket is missing is dialled again for ever, with jitter, until disposal.
 */
export function dialLink(options: {
  folder: string;
  handlers: RunnerHandlers;
  outbox: Outbox;
}): AsyncDisposable {
  const ending = new AbortController();
  const dialled = Promise.all(
    (["control", "bulk"] as const).map((name) =>
      keepDialling(join(options.folder, name), options, ending.signal),
    ),
  );
  return {
    async [Symbol.asyncDispose]() {
      ending.abort();
      await dialled;
    },
  };
}

async function keepDialling(
  path: string,
  deps: { handlers: RunnerHandlers; outbox: Outbox },
  ending: AbortSignal,
): Promise<void> {
  let pause_ms = REDIAL_MIN_MS;
  while (!ending.aborted) {
    const begun = performance.now();
    await serveOnce(path, deps, ending);
    if (performance.now() - begun > SETTLED_MS) pause_ms = REDIAL_MIN_MS;
    const jittered_ms = pause_ms * (0.5 + Math.random() / 2);
    // The only way for this to reject is the end itself.
    await sleep(jittered_ms, undefined, { signal: ending }).catch(() => undefined);
    pause_ms = Math.min(pause_ms * 2, REDIAL_MAX_MS);
  }
}

/** One connection, from dialling to its end, whatever the end was: the next dial is the answer to all of them. */
async function serveOnce(
  path: string,
  deps: { handlers: RunnerHandlers; outbox: Outbox },
  ending: AbortSignal,
): Promise<void> {
  const socket = connect(path);
  const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()));
  const end = (): void => {
    socket.destroy();
  };
  socket.on("error", end);
  ending.addEventListener("abort", end, { once: true });
  try {
    await once(socket, "connect", { signal: ending });
    const session = performServerHandshake(socket, {
      settings: {
        enablePush: false,
        initialWindowSize: STREAM_WINDOW_BYTES,
        maxConcurrentStreams: STREAMS_MAX,
      },
      maxSessionMemory: SESSION_MEMORY_MB,
    });
    session.setLocalWindowSize(SESSION_WINDOW_BYTES);
    session.on("error", end);
    session.on("close", end);
    session.on("stream", (stream, headers) => void serveRequest(stream, headers, deps));
  } catch {
    // Nobody listens there at the moment; `socket` has said so by its error and is closed below.
    end();
  }
  await closed;
  ending.removeEventListener("abort", end);
}
