import { createHash } from "node:crypto";
import { type ClientHttp2Stream, constants } from "node:http2";
import type { Readable } from "node:stream";
import type { z } from "zod";
import { readChecked, type Trailers, writeChecked } from "../contract/checked-stream.ts";
import { AppError } from "../contract/errors.ts";
import type { RunnerEvent } from "../contract/event.ts";
import { BLOB_MAX_BYTES } from "../contract/event-bounds.ts";
import {
  FILES_LISTED_MAX_BYTES,
  HEADER_SIZE,
  LINK_ROUTES,
  type Message,
  type Start,
  type StopRequest,
} from "../contract/link.ts";
import { FileList, type Hello } from "../contract/link-answers.ts";
import type { SandboxLink } from "../core/link.ts";
import { eventBatches } from "./link-events.ts";
import { type LinkPeer, type LinkTimes, linkLost, type Request, violated } from "./link-peer.ts";

/** The version of the link in which runners began to take messages. */
const MESSAGES_SINCE = 2;

/** The two connections of one runner, as the core uses them. Losing one loses both: the runner dials them anew. */
export class RunnerLink implements SandboxLink {
  readonly hello: Hello;
  readonly lost: AbortSignal;
  readonly control: LinkPeer;
  readonly bulk: LinkPeer;
  readonly #times: LinkTimes;
  readonly #started: (start: Start) => void;

  constructor(options: {
    hello: Hello;
    control: LinkPeer;
    bulk: LinkPeer;
    times: LinkTimes;
    started: (start: Start) => void;
  }) {
    this.hello = options.hello;
    this.control = options.control;
    this.bulk = options.bulk;
    this.#times = options.times;
    this.#started = options.started;
    this.lost = AbortSignal.any([this.control.lost, this.bulk.lost]);
    this.control.lost.addEventListener("abort", () => this.bulk.destroy("its control connection was lost"), {
      once: true,
    });
    this.bulk.lost.addEventListener("abort", () => this.control.destroy("its bulk connection was lost"), {
      once: true,
    });
  }

  async start(start: Start, signal: AbortSignal): Promise<void> {
    await this.control.json({ method: "POST", route: LINK_ROUTES.start, body: start }, signal);
    this.#started(start);
  }

  /** As SandboxLink says; ends when the signal aborts. */
  async *events(after: number, signal: AbortSignal): AsyncGenerator<RunnerEvent[]> {
    let stream: ClientHttp2Stream | null = null;
    try {
      const request: Request = { method: "GET", route: LINK_ROUTES.events, query: { after } };
      stream = (await this.control.open(request, signal)).stream;
      yield* eventBatches(stream as AsyncIterable<Buffer>, after);
      throw this.#cut("the stream of events ended");
    } catch (error) {
      if (signal.aborted) return;
      throw this.#meaning(error);
    } finally {
      stream?.close(constants.NGHTTP2_CANCEL);
    }
  }

  async ack(n: number, signal: AbortSignal): Promise<void> {
    await this.control.json({ method: "POST", route: LINK_ROUTES.ack, body: { n } }, signal);
  }

  async stop(request: StopRequest, signal: AbortSignal): Promise<void> {
    await this.control.json({ method: "POST", route: LINK_ROUTES.stop, body: request }, signal);
  }

  async message(message: Message, signal: AbortSignal): Promise<void> {
    if (this.hello.protocol < MESSAGES_SINCE) {
      throw new AppError({
        code: "conflict",
        message: "The job runs in a sandbox of the release before this one, whose agent takes no messages.",
      });
    }
    await this.control.json({ method: "POST", route: LINK_ROUTES.message, body: message }, signal);
  }

  async quiesce(signal: AbortSignal): Promise<void> {
    await this.control.json({ method: "POST", route: LINK_ROUTES.quiesce }, signal);
  }

  async upload(tar: Readable, signal: AbortSignal): Promise<void> {
    let writing: Promise<unknown> = Promise.resolve();
    let failed: unknown = null;
    const request: Request = { method: "POST", route: LINK_ROUTES.upload, streams: true };
    try {
      await this.bulk.json(request, signal, (stream, moved) => {
        writing = writeChecked(tar, stream, { signal, moved }).catch((error: unknown) => {
          failed = error;
        });
      });
    } catch (error) {
      tar.destroy();
      await writing;
      signal.throwIfAborted();
      throw ownError(tar) ?? error;
    }
    await writing;
    if (failed !== null) throw violated("it took an upload before that had ended");
  }

  pack(signal: AbortSignal): Promise<Readable> {
    return this.#content({ method: "GET", route: LINK_ROUTES.pack }, signal);
  }

  async list(path: string, signal: AbortSignal): Promise<FileList> {
    const request: Request = {
      method: "GET",
      route: LINK_ROUTES.list,
      query: { path },
      answer_max_bytes: FILES_LISTED_MAX_BYTES,
    };
    const answer = await this.bulk.json(request, signal);
    return valid(FileList, answer, "a list of files");
  }

  async read(
    path: string,
    range: { start: number; end: number } | null,
    signal: AbortSignal,
  ): Promise<{ size_bytes: number; content: Readable }> {
    const query = { path, ...(range ?? {}) };
    const { stream, headers, trailers } = await this.bulk.open(
      { method: "GET", route: LINK_ROUTES.read, query },
      signal,
    );
    const size_bytes = Number(headers[HEADER_SIZE] ?? Number.NaN);
    if (!Number.isSafeInteger(size_bytes) || size_bytes < 0) {
      stream.close(constants.NGHTTP2_CANCEL);
      throw violated("it did not say how large a file is");
    }
    const wanted = range === null ? size_bytes : Math.min(range.end, size_bytes - 1) - range.start + 1;
    return { size_bytes, content: this.#checked({ stream, trailers }, Math.max(wanted, 0), signal) };
  }

  async blob(sha256: string, signal: AbortSignal): Promise<Buffer> {
    const request: Request = { method: "GET", route: LINK_ROUTES.blob, query: { sha256 } };
    const chunks: Buffer[] = [];
    const content = await this.#content(request, signal, BLOB_MAX_BYTES);
    for await (const chunk of content as AsyncIterable<Buffer>) chunks.push(chunk);
    const blob = Buffer.concat(chunks);
    if (createHash("sha256").update(blob).digest("hex") === sha256) return blob;
    throw violated(`a blob is not what its name ${sha256} says`);
  }

  async close(): Promise<void> {
    this.control.destroy("it was closed here");
  }

  async #content(
    request: Request,
    signal: AbortSignal,
    max_bytes = Number.MAX_SAFE_INTEGER,
  ): Promise<Readable> {
    return this.#checked(await this.bulk.open(request, signal), max_bytes, signal);
  }

  #checked(
    { stream, trailers }: { stream: ClientHttp2Stream; trailers: Trailers },
    max_bytes: number,
    signal: AbortSignal,
  ): Readable {
    const content = readChecked(stream, trailers, {
      max_bytes,
      signal,
      stall_timeout_ms: this.#times.answer_ms,
    });
    content.once("close", () => stream.close(constants.NGHTTP2_CANCEL));
    return content;
  }

  #cut(why: string): unknown {
    return this.lost.aborted ? this.lost.reason : linkLost(why);
  }

  /** What a broken stream means: an error of ours stays, anything of the transport is the loss of the link. */
  #meaning(error: unknown): unknown {
    return error instanceof Error && error.name === "AppError" ? error : this.#cut(String(error));
  }
}

/** Why a source failed by itself; null when it is only being closed because the stream that it was written to is. */
function ownError(source: Readable): Error | null {
  const error: (Error & { code?: unknown }) | null = source.errored;
  return error?.code === "ERR_STREAM_PREMATURE_CLOSE" ? null : error;
}

export function valid<S extends z.ZodType>(schema: S, answer: unknown, what: string): z.infer<S> {
  const parsed = schema.safeParse(answer);
  if (parsed.success) return parsed.data;
  throw violated(`what it gave as ${what} is none`);
}
