import { createHash } from "node:crypto";
import { type ClientHttp2Stream, constants } from "node:http2";
import type { Readable } from "node:stream";
import { z } from "zod";
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
import { FileList, FilesUnpacked, FileWritten, type Hello } from "../contract/link-answers.ts";
import type { StreamCheck } from "../contract/stream-check.ts";
import type { FileChange } from "../contract/surfaces.ts";
import type { FilePlace, SandboxLink } from "../core/link.ts";
import { eventBatches } from "./link-events.ts";
import { RunnerLive } from "./link-live.ts";
import { type LinkPeer, type LinkTimes, linkLost, type Request, violated } from "./link-peer.ts";

/** The versions of the link in which runners began to take messages, and to serve what people use live. */
const MESSAGES_SINCE = 2;
export const SURFACES_SINCE = 3;
const GMAC_SINCE = 3;

/**
 * The connections of one runner, as the core uses them. Losing `control` or `bulk` loses the link, and the runner dials them anew; `live`
 * comes and goes beside them.
 */
export class RunnerLink implements SandboxLink {
  readonly hello: Hello;
  readonly lost: AbortSignal;
  readonly control: LinkPeer;
  readonly bulk: LinkPeer;
  readonly live: RunnerLive;
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
    this.live = new RunnerLive(this);
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
    refuseBefore(MESSAGES_SINCE, this.hello);
    await this.control.json({ method: "POST", route: LINK_ROUTES.message, body: message }, signal);
  }

  async quiesce(signal: AbortSignal): Promise<void> {
    await this.control.json({ method: "POST", route: LINK_ROUTES.quiesce }, signal);
  }

  async upload(tar: Readable, signal: AbortSignal): Promise<void> {
    await this.#send({ method: "POST", route: LINK_ROUTES.upload, streams: true }, tar, signal);
  }

  async write(
    place: FilePlace,
    content: Readable,
    options: { only_new: boolean },
    signal: AbortSignal,
  ): Promise<FileWritten> {
    const query = { ...this.#place(place), ...(options.only_new ? { new: 1 } : {}) };
    const answer = await this.#sendFiles(LINK_ROUTES.write, query, content, signal);
    return valid(FileWritten, answer, "the size of a file");
  }

  async unpack(place: FilePlace, tar: Readable, signal: AbortSignal): Promise<FilesUnpacked> {
    const answer = await this.#sendFiles(LINK_ROUTES.unpack, this.#place(place), tar, signal);
    return valid(FilesUnpacked, answer, "a number of files");
  }

  async change(change: FileChange, signal: AbortSignal): Promise<void> {
    refuseBefore(SURFACES_SINCE, this.hello);
    await this.bulk.json({ method: "POST", route: LINK_ROUTES.change, body: change }, signal);
  }

  archive(place: FilePlace, signal: AbortSignal): Promise<Readable> {
    refuseBefore(SURFACES_SINCE, this.hello);
    return this.#content({ method: "GET", route: LINK_ROUTES.archive, query: this.#place(place) }, signal);
  }

  #sendFiles(
    route: string,
    query: Record<string, string | number>,
    content: Readable,
    signal: AbortSignal,
  ): Promise<unknown> {
    refuseBefore(SURFACES_SINCE, this.hello);
    return this.#send({ method: "POST", route, query, streams: true }, content, signal);
  }

  /** Sends a body that ends with trailers, and gives what it was answered with. */
  async #send(request: Request, tar: Readable, signal: AbortSignal): Promise<unknown> {
    let answer: unknown;
    let writing: Promise<unknown> = Promise.resolve();
    let failed: unknown = null;
    try {
      answer = await this.bulk.json(request, signal, (stream, moved) => {
        writing = writeChecked(tar, stream, { check: this.#check, signal, moved }).catch((error: unknown) => {
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
    return answer;
  }

  pack(signal: AbortSignal): Promise<Readable> {
    return this.#content({ method: "GET", route: LINK_ROUTES.pack }, signal);
  }

  async list(place: FilePlace, signal: AbortSignal): Promise<FileList> {
    const request: Request = {
      method: "GET",
      route: LINK_ROUTES.list,
      query: this.#place(place),
      answer_max_bytes: FILES_LISTED_MAX_BYTES,
    };
    const answer = await this.bulk.json(request, signal);
    return valid(FileList, answer, "a list of files");
  }

  async read(
    place: FilePlace,
    range: { start: number; end: number } | null,
    signal: AbortSignal,
  ): Promise<{ size_bytes: number; content: Readable }> {
    const query = { ...this.#place(place), ...(range ?? {}) };
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
    const blob = await this.bytes(request, signal);
    if (createHash("sha256").update(blob).digest("hex") === sha256) return blob;
    throw violated(`a blob is not what its name ${sha256} says`);
  }

  /** The whole of something that fits into memory: at most BLOB_MAX_BYTES. */
  async bytes(request: Request, signal: AbortSignal): Promise<Buffer> {
    const chunks: Buffer[] = [];
    const content = await this.#content(request, signal, BLOB_MAX_BYTES);
    for await (const chunk of content as AsyncIterable<Buffer>) chunks.push(chunk);
    return Buffer.concat(chunks);
  }

  async close(): Promise<void> {
    this.control.destroy("it was closed here");
  }

  get #check(): StreamCheck {
    return this.hello.protocol >= GMAC_SINCE ? "gmac" : "sha256";
  }

  /** Runners of the release before this one know of no root but the workspace. */
  #place({ root, path }: FilePlace): Record<string, string> {
    if (root === "workspace") return { path };
    refuseBefore(SURFACES_SINCE, this.hello);
    return { root, path };
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
      check: this.#check,
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

/** Throws AppError `conflict` for a runner that speaks an older version of the link than what is asked of it needs. */
export function refuseBefore(protocol: number, hello: Hello): void {
  if (hello.protocol >= protocol) return;
  throw new AppError({
    code: "conflict",
    message: "The job runs in a sandbox of an earlier release, which cannot do this.",
  });
}

/** An answer in its schema, of either form of the schema library. Throws AppError `protocol_violated`. */
export function valid<S extends z.core.$ZodType>(schema: S, answer: unknown, what: string): z.output<S> {
  const parsed = z.core.safeParse(schema, answer);
  if (parsed.success) return parsed.data;
  throw violated(`what it gave as ${what} is none`);
}
