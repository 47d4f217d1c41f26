import { once } from "node:events";
import { type ClientHttp2Session, type ClientHttp2Stream, connect, constants } from "node:http2";
import { connect as connectSocket } from "node:net";
import { join } from "node:path";
import type { Duplex } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import * as z from "zod/mini";
import { byteStream } from "../../contract/byte-stream.ts";
import { readBounded } from "../../contract/checked-stream.ts";
import { AppError, ERRORS, type ErrorCode } from "../../contract/errors.ts";
import {
  Decision,
  OUT_ROUTES,
  OUT_WINDOW_BYTES,
  type OutStream,
  type Question,
  SESSION_MEMORY_MB,
  SESSION_WINDOW_BYTES,
} from "../../contract/link.ts";

/** The first pause before the socket is dialled again, and the longest; each doubles the one before. */
const REDIAL_MIN_MS = 50;
const REDIAL_MAX_MS = 2_000;
/**
 * How long a program's connection waits for an orchestrator that is away. An agent without its model can do nothing else, and tries a few
 * times; another program had better be told.
 */
const CONNECT_MAX_MS: Record<OutStream, number> = { models: 10 * 60_000, egress: 30_000 };
const ANSWER_MAX_BYTES = 64 * 1024;
const Refusal = z.object({ code: z.string(), message: z.string() });

/**
 * The connection on which the runner asks: streams of bytes to what the gateway serves, and questions to people. It is dialled at the
 * first use, kept, and dialled again when it was lost and something is asked.
 */
export class OutLink implements AsyncDisposable {
  readonly #path: string;
  readonly #connect_max_ms: Record<OutStream, number>;
  readonly #ending = new AbortController();
  #session: ClientHttp2Session | null = null;
  #dialling: Promise<ClientHttp2Session> | null = null;

  constructor(options: { folder: string; connect_max_ms?: number | Record<OutStream, number> }) {
    this.#path = join(options.folder, "out");
    const { connect_max_ms: max_ms = CONNECT_MAX_MS } = options;
    this.#connect_max_ms = typeof max_ms === "number" ? { models: max_ms, egress: max_ms } : max_ms;
  }

  /**
   * Opens a stream of bytes. Waits a while for an orchestrator that is away; rejects with AppError `link_lost` then, with what the
   * orchestrator refused it with, or with the signal's reason. The signal ends the waiting, not the stream.
   */
  async connect(name: OutStream, signal: AbortSignal = this.#ending.signal): Promise<Duplex> {
    const giving_up = AbortSignal.timeout(this.#connect_max_ms[name]);
    for (let pause_ms = REDIAL_MIN_MS; ; pause_ms = Math.min(pause_ms * 2, REDIAL_MAX_MS)) {
      try {
        const either = AbortSignal.any([signal, giving_up, this.#ending.signal]);
        const stream = await this.#request({ ":method": "CONNECT", ":authority": name }, either);
        const bytes = byteStream(stream);
        bytes.on("error", () => undefined);
        await this.#head(stream, either);
        return bytes;
      } catch (error) {
        signal.throwIfAborted();
        if (!isLost(error) || giving_up.aborted || this.#ending.signal.aborted) throw asLost(error);
        await this.#pause(pause_ms, AbortSignal.any([signal, giving_up]));
      }
    }
  }

  /**
   * Asks a person. However often the link is lost meanwhile, the question is asked again with the same key, which makes it the same one.
   * Rejects with the signal's reason, or with the AppError that the orchestrator refuses the question with.
   */
  async ask(question: Question, signal: AbortSignal): Promise<Decision["decision"]> {
    for (let pause_ms = REDIAL_MIN_MS; ; pause_ms = Math.min(pause_ms * 2, REDIAL_MAX_MS)) {
      try {
        return await this.#askOnce(question, AbortSignal.any([signal, this.#ending.signal]));
      } catch (error) {
        signal.throwIfAborted();
        if (!isLost(error) || this.#ending.signal.aborted) throw error;
        await this.#pause(pause_ms, signal);
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ending.abort(lost("it was closed here"));
    await this.#dialling?.catch(() => undefined);
    const session = this.#session;
    if (session === null || session.destroyed) return;
    const closed = once(session, "close");
    session.destroy();
    await closed;
  }

  async #askOnce(question: Question, signal: AbortSignal): Promise<Decision["decision"]> {
    const headers = { ":method": "POST", ":path": OUT_ROUTES.approvals };
    const stream = await this.#request(headers, signal);
    try {
      stream.on("error", () => undefined);
      stream.end(Buffer.from(JSON.stringify(question)));
      await this.#head(stream, signal);
      const answer = z.safeParse(Decision, json(await readBounded(stream, ANSWER_MAX_BYTES)));
      if (answer.success) return answer.data.decision;
      throw lost("an answer was cut short");
    } finally {
      stream.close(constants.NGHTTP2_CANCEL);
    }
  }

  async #request(headers: Record<string, string>, signal: AbortSignal): Promise<ClientHttp2Stream> {
    const session = await this.#open(signal);
    signal.throwIfAborted();
    try {
      return session.request(headers, { endStream: false });
    } catch (cause) {
      throw lost("its connection takes no more requests", cause);
    }
  }

  /** Resolves when the answer to a request is a good one; a stream that has none is closed. */
  async #head(stream: ClientHttp2Stream, signal: AbortSignal): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<number>();
    const abort = (): void => reject(signal.reason);
    signal.addEventListener("abort", abort, { once: true });
    stream.once("response", (headers) => resolve(headers[":status"] ?? 0));
    stream.once("close", () => reject(lost("a request was dropped unanswered")));
    try {
      signal.throwIfAborted();
      if ((await promise) !== 200) throw await refusal(stream);
    } catch (error) {
      stream.close(constants.NGHTTP2_CANCEL);
      throw error;
    } finally {
      signal.removeEventListener("abort", abort);
    }
  }

  /** The session that there is, or the one that is being dialled for everybody who waits. */
  async #open(signal: AbortSignal): Promise<ClientHttp2Session> {
    signal.throwIfAborted();
    if (this.#session !== null && !this.#session.closed && !this.#session.destroyed) return this.#session;
    this.#dialling ??= this.#dial().finally(() => {
      this.#dialling = null;
    });
    return await this.#dialling;
  }

  async #dial(): Promise<ClientHttp2Session> {
    const socket = connectSocket(this.#path);
    socket.on("error", () => socket.destroy());
    try {
      await once(socket, "connect", { signal: this.#ending.signal });
    } catch (cause) {
      socket.destroy();
      throw lost("no orchestrator listens at the moment", cause);
    }
    const session = connect("http://orchestrator", {
      createConnection: () => socket,
      settings: { enablePush: false, initialWindowSize: OUT_WINDOW_BYTES },
      maxSessionMemory: SESSION_MEMORY_MB,
      maxReservedRemoteStreams: 0,
    });
    session.once("connect", () => session.setLocalWindowSize(SESSION_WINDOW_BYTES));
    session.on("error", () => session.destroy());
    // The orchestrator says so when it stops; what runs still may end.
    session.on("goaway", () => session.close());
    session.once("close", () => socket.destroy());
    this.#session = session;
    return session;
  }

  async #pause(pause_ms: number, signal: AbortSignal): Promise<void> {
    const either = AbortSignal.any([signal, this.#ending.signal]);
    // The only way for this to reject is one of the signals, which the next attempt meets.
    await sleep(pause_ms * (0.5 + Math.random() / 2), undefined, { signal: either }).catch(() => undefined);
  }
}

async function refusal(stream: ClientHttp2Stream): Promise<AppError> {
  const parsed = z.safeParse(Refusal, json(await readBounded(stream, ANSWER_MAX_BYTES)));
  if (!parsed.success) return lost("a refusal was cut short");
  const code = (Object.keys(ERRORS) as ErrorCode[]).find((each) => each === parsed.data.code);
  return new AppError({ code: code ?? "internal", message: parsed.data.message });
}

function json(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString());
  } catch {
    return null;
  }
}

function isLost(error: unknown): boolean {
  return !(error instanceof AppError) || error.code === "link_lost";
}

function asLost(error: unknown): AppError {
  return error instanceof AppError ? error : lost("no orchestrator answered in time", error);
}

function lost(why: string, cause?: unknown): AppError {
  return new AppError({
    code: "link_lost",
    message: `The link to the orchestrator was lost: ${why}.`,
    cause,
  });
}
