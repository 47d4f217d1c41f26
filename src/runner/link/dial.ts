import { once } from "node:events";
import { performServerHandshake } from "node:http2";
import { connect } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import {
  LINK_ROUTES,
  SESSION_MEMORY_MB,
  SESSION_WINDOW_BYTES,
  type SocketName,
  STREAM_WINDOW_BYTES,
  STREAMS_MAX,
} from "../../contract/link.ts";
import { LIVE_STREAMS_MAX, LIVE_WINDOW_BYTES } from "../../contract/live.ts";
import type { RunnerHandlers } from "../handlers.ts";
import type { Outbox } from "../outbox.ts";
import { serveRequest } from "./serve.ts";

/**
 * The first pause before a socket is dialled again, and the longest. Each pause doubles the one before, until an orchestrator has asked
 * for more than hello, on either connection: then the link was a good one, and losing it is met with short pauses again.
 */
const REDIAL_MIN_MS = 50;
const REDIAL_MAX_MS = 2_000;
/** How long after the first request of an orchestrator `live` is dialled. */
const LIVE_AFTER_MS = 150;

type Dialled = Exclude<SocketName, "out">;
type Dialling = {
  handlers: RunnerHandlers;
  outbox: Outbox;
  ending: AbortSignal;
  pause_ms: Record<Dialled, number>;
  /** Called once an orchestrator has asked for more than hello. */
  linked: () => void;
};

/** As much as all streams of `live` can hold together, so that one which nobody reads never holds up another. */
const LIVE_SESSION_BYTES = LIVE_WINDOW_BYTES * LIVE_STREAMS_MAX;
const WINDOWS = {
  stream_bytes: STREAM_WINDOW_BYTES,
  session_bytes: SESSION_WINDOW_BYTES,
  memory_mb: SESSION_MEMORY_MB,
  streams_max: STREAMS_MAX,
};
const LIVE_WINDOWS: typeof WINDOWS = {
  stream_bytes: LIVE_WINDOW_BYTES,
  session_bytes: LIVE_SESSION_BYTES,
  memory_mb: (2 * LIVE_SESSION_BYTES) / (1024 * 1024),
  // More than the orchestrator opens: one that it has closed may not have ended here yet.
  streams_max: 2 * LIVE_STREAMS_MAX,
};

/**
 * Dials `control` and `bulk` in the folder of sockets and answers what the orchestrator asks there (HTTP/2, roles turned round); `live`
 * after the first request that came over them, since nothing of a job waits for it.
 * A connection that is lost, refused, or whose socket is missing is dialled again for ever, with jitter, until disposal.
 */
export function dialLink(options: {
  folder: string;
  handlers: RunnerHandlers;
  outbox: Outbox;
}): AsyncDisposable {
  const ending = new AbortController();
  const linked = Promise.withResolvers<boolean>();
  ending.signal.addEventListener("abort", () => linked.resolve(false), { once: true });
  const dialling: Dialling = {
    handlers: options.handlers,
    outbox: options.outbox,
    ending: ending.signal,
    pause_ms: { control: REDIAL_MIN_MS, bulk: REDIAL_MIN_MS, live: REDIAL_MIN_MS },
    linked: () => linked.resolve(true),
  };
  const dialled = Promise.all([
    keepDialling("control", options.folder, dialling),
    keepDialling("bulk", options.folder, dialling),
    linked.promise.then((asked) => (asked ? dialLater(options.folder, dialling) : undefined)),
  ]);
  return {
    async [Symbol.asyncDispose]() {
      ending.abort();
      await dialled;
    },
  };
}

/** A job begins meanwhile, on what may be few processors, and nobody can be looking yet. */
async function dialLater(folder: string, dialling: Dialling): Promise<void> {
  // The only way for this to reject is the end itself, and then nothing is dialled.
  await sleep(LIVE_AFTER_MS, undefined, { signal: dialling.ending }).catch(() => undefined);
  await keepDialling("live", folder, dialling);
}

async function keepDialling(name: Dialled, folder: string, dialling: Dialling): Promise<void> {
  const { ending, pause_ms } = dialling;
  while (!ending.aborted) {
    await serveOnce(join(folder, name), name === "live" ? LIVE_WINDOWS : WINDOWS, dialling);
    const jittered_ms = pause_ms[name] * (0.5 + Math.random() / 2);
    pause_ms[name] = Math.min(pause_ms[name] * 2, REDIAL_MAX_MS);
    // The only way for this to reject is the end itself.
    await sleep(jittered_ms, undefined, { signal: ending }).catch(() => undefined);
  }
}

/** One connection, from dialling to its end, whatever the end was: the next dial is the answer to all of them. */
async function serveOnce(path: string, windows: typeof WINDOWS, dialling: Dialling): Promise<void> {
  const { ending, pause_ms } = dialling;
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
        initialWindowSize: windows.stream_bytes,
        maxConcurrentStreams: windows.streams_max,
      },
      maxSessionMemory: windows.memory_mb,
    });
    session.setLocalWindowSize(windows.session_bytes);
    session.on("error", end);
    session.on("close", end);
    session.on("stream", (stream, headers) => {
      if (headers[":path"] !== LINK_ROUTES.hello) {
        pause_ms.control = pause_ms.bulk = pause_ms.live = REDIAL_MIN_MS;
        dialling.linked();
      }
      void serveRequest(stream, headers, dialling);
    });
  } catch {
    // Nobody listens there at the moment; `socket` has said so by its error and is closed below.
    end();
  }
  await closed;
  ending.removeEventListener("abort", end);
}
