import type { IncomingHttpHeaders, ServerHttp2Stream } from "node:http2";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import * as z from "zod/mini";
import { byteStream } from "../../contract/byte-stream.ts";
import {
  type LentPieces,
  readBounded,
  readChecked,
  trailersOf,
  writeChecked,
} from "../../contract/checked-stream.ts";
import { AppError } from "../../contract/errors.ts";
import {
  Ack,
  FILES_LISTED_MAX_BYTES,
  HEADER_SIZE,
  LINK_ROUTES,
  Message,
  Start,
  StopRequest,
} from "../../contract/link.ts";
import type { FileList } from "../../contract/link-answers.ts";
import { liveTarget } from "../../contract/live.ts";
import type { FilePlace, RunnerHandlers } from "../handlers.ts";
import type { Outbox } from "../outbox.ts";

/** A start with the largest prompt and a large environment stays well below this. */
const REQUEST_MAX_BYTES = 8 * 1024 * 1024;
/** How content is read that may have any size. */
const WHOLE = { check: "gmac", max_bytes: Number.MAX_SAFE_INTEGER } as const;

type Exchange = {
  stream: ServerHttp2Stream;
  query: URLSearchParams;
  handlers: RunnerHandlers;
  outbox: Outbox;
  /** Aborted when the other side drops the request. */
  signal: AbortSignal;
};
type Route = (exchange: Exchange) => Promise<void>;

const ROUTES: Record<string, Route> = {
  [`GET ${LINK_ROUTES.hello}`]: async ({ stream, handlers }) => answer(stream, handlers.hello()),
  [`POST ${LINK_ROUTES.start}`]: async ({ stream, handlers }) => {
    await handlers.start(await body(stream, Start));
    answer(stream, {});
  },
  [`GET ${LINK_ROUTES.events}`]: async ({ stream, query, outbox, signal }) => {
    const lines = outbox.read(wholeNumber(query, "after"), signal);
    stream.respond({ ":status": 200, "content-type": "application/x-ndjson" });
    await pipeline(Readable.from(bytesOf(lines)), stream, { signal });
  },
  [`POST ${LINK_ROUTES.ack}`]: async ({ stream, outbox }) => {
    outbox.ack((await body(stream, Ack)).n);
    answer(stream, {});
  },
  [`POST ${LINK_ROUTES.stop}`]: async ({ stream, handlers }) => {
    await handlers.stop(await body(stream, StopRequest));
    answer(stream, {});
  },
  [`POST ${LINK_ROUTES.message}`]: async ({ stream, handlers }) => {
    await handlers.message(await body(stream, Message));
    answer(stream, {});
  },
  [`POST ${LINK_ROUTES.touch}`]: async ({ stream, handlers }) => {
    handlers.surfaces.touch();
    answer(stream, {});
  },
  [`GET ${LINK_ROUTES.ports}`]: async ({ stream, handlers }) =>
    answer(stream, await handlers.surfaces.ports()),
  [`GET ${LINK_ROUTES.terminals}`]: async ({ stream, handlers }) =>
    answer(stream, handlers.surfaces.terminals()),
  [`POST ${LINK_ROUTES.end_terminal}`]: async ({ stream, handlers }) => {
    const { TerminalEnd } = await surfaceSchemas();
    await handlers.surfaces.endTerminal((await body(stream, TerminalEnd)).id);
    answer(stream, {});
  },
  [`POST ${LINK_ROUTES.service}`]: async ({ stream, handlers, signal }) => {
    const { ServiceRequest } = await surfaceSchemas();
    const { name } = await body(stream, ServiceRequest);
    answer(stream, await handlers.surfaces.service(name, signal));
  },
  [`POST ${LINK_ROUTES.desktop}`]: async ({ stream, handlers }) => {
    const { DesktopControl } = await surfaceSchemas();
    await handlers.surfaces.desktop(await body(stream, DesktopControl));
    answer(stream, {});
  },
  [`GET ${LINK_ROUTES.screen}`]: async ({ stream, handlers, signal }) => {
    await send(stream, Readable.from([await handlers.surfaces.screen(signal)]), signal);
  },
  [`POST ${LINK_ROUTES.write}`]: async ({ stream, query, handlers, signal }) => {
    const content = readChecked(stream, trailersOf(stream), { ...WHOLE, signal });
    try {
      const only_new = query.get("new") === "1";
      answer(stream, await handlers.write(placeOf(query), content, { only_new }));
    } finally {
      content.destroy();
    }
  },
  [`POST ${LINK_ROUTES.unpack}`]: async ({ stream, query, handlers, signal }) => {
    const tar = readChecked(stream, trailersOf(stream), { ...WHOLE, signal });
    try {
      answer(stream, await handlers.unpack(placeOf(query), tar, signal));
    } finally {
      tar.destroy();
    }
  },
  [`POST ${LINK_ROUTES.change}`]: async ({ stream, handlers }) => {
    const { FileChange } = await surfaceSchemas();
    await handlers.change(await body(stream, FileChange));
    answer(stream, {});
  },
  [`GET ${LINK_ROUTES.archive}`]: async ({ stream, query, handlers, signal }) => {
    await send(stream, await handlers.archive(placeOf(query), signal), signal);
  },
  [`POST ${LINK_ROUTES.quiesce}`]: async ({ stream, handlers }) => {
    await handlers.quiesce();
    answer(stream, {});
  },
  [`POST ${LINK_ROUTES.upload}`]: async ({ stream, handlers, signal }) => {
    const tar = readChecked(stream, trailersOf(stream), { ...WHOLE, signal });
    try {
      answer(stream, await handlers.upload(tar, signal));
    } finally {
      tar.destroy();
    }
  },
  [`GET ${LINK_ROUTES.pack}`]: ({ stream, handlers, signal }) => send(stream, handlers.pack(signal), signal),
  [`GET ${LINK_ROUTES.list}`]: async ({ stream, query, handlers }) => {
    answer(stream, fitting(await handlers.list(placeOf(query))));
  },
  [`GET ${LINK_ROUTES.read}`]: async ({ stream, query, handlers, signal }) => {
    const range = query.has("start")
      ? { start: wholeNumber(query, "start"), end: wholeNumber(query, "end") }
      : null;
    const file = await handlers.read(placeOf(query), range);
    await send(stream, file.content, signal, { [HEADER_SIZE]: file.size_bytes });
  },
  [`GET ${LINK_ROUTES.blob}`]: async ({ stream, query, handlers, signal }) => {
    await send(stream, await handlers.blob(query.get("sha256") ?? ""), signal);
  },
};

/** Answers one request of the orchestrator. Never rejects: what goes wrong is answered, or, once an answer has begun, cuts it short. */
export async function serveRequest(
  stream: ServerHttp2Stream,
  headers: IncomingHttpHeaders,
  deps: { handlers: RunnerHandlers; outbox: Outbox },
): Promise<void> {
  const dropped = new AbortController();
  stream.on("close", () => dropped.abort());
  // Where the stream is being read or written its error is met there; the listener is for the time between.
  stream.on("error", () => dropped.abort());
  try {
    if (headers[":method"] === "CONNECT") {
      await connect(stream, headers[":authority"], deps.handlers, dropped.signal);
      return;
    }
    const url = new URL(headers[":path"] ?? "/", "http://runner");
    const route = ROUTES[`${headers[":method"] ?? ""} ${url.pathname}`];
    if (route === undefined) {
      throw new AppError({ code: "not_found", message: `This runner has no route ${url.pathname}.` });
    }
    const { handlers, outbox } = deps;
    await route({ stream, query: url.searchParams, handlers, outbox, signal: dropped.signal });
  } catch (error) {
    refuse(stream, error);
  }
}

async function connect(
  stream: ServerHttp2Stream,
  authority: string | undefined,
  { surfaces }: RunnerHandlers,
  signal: AbortSignal,
): Promise<void> {
  // At once: what the other side sends ahead must find a reader.
  const bytes = byteStream(stream);
  bytes.on("error", () => undefined);
  const target = liveTarget(authority);
  if (target === null) throw new AppError({ code: "not_found", message: "There is no such stream." });
  const take = await surfaces.connect(target, signal);
  if (!stream.destroyed && !stream.closed) stream.respond({ ":status": 200 });
  take(bytes);
}

function placeOf(query: URLSearchParams): FilePlace {
  const root = query.get("root") ?? "workspace";
  if (root === "workspace" || root === "home") return { root, path: query.get("path") ?? "" };
  throw new AppError({ code: "invalid_request", message: "There is no such root of files." });
}

/** Built when a surface is first used: most jobs are never looked at. */
function surfaceSchemas(): Promise<typeof import("../../contract/surfaces.ts")> {
  return import("../../contract/surfaces.ts");
}

function refuse(stream: ServerHttp2Stream, error: unknown): void {
  if (stream.destroyed || stream.closed) return;
  if (stream.headersSent) {
    stream.destroy();
    return;
  }
  const known =
    error instanceof AppError
      ? error
      : new AppError({ code: "internal", message: String(error), cause: error });
  stream.respond({ ":status": known.status, "content-type": "application/json" });
  stream.end(JSON.stringify({ code: known.code, message: known.message.slice(0, 4000) }));
  // What is still on its way of an upload is let go, so that the answer is not held up behind it.
  stream.resume();
}

function answer(stream: ServerHttp2Stream, value: unknown): void {
  if (stream.destroyed || stream.closed) return;
  stream.respond({ ":status": 200, "content-type": "application/json" });
  stream.end(Buffer.from(JSON.stringify(value)));
}

/** The list, with only half of its entries as often as it takes to keep to the limit of an answer. */
function fitting(list: FileList): FileList {
  if (Buffer.byteLength(JSON.stringify(list)) <= FILES_LISTED_MAX_BYTES) return list;
  return fitting({ ...list, entries: list.entries.slice(0, list.entries.length / 2), truncated: true });
}

/** Bytes and no strings: a peer that drops a stream in the middle of a long string can stall a whole session on Node 26. */
async function* bytesOf(lines: AsyncIterable<string>): AsyncGenerator<Buffer> {
  for await (const line of lines) yield Buffer.from(line);
}

async function send(
  stream: ServerHttp2Stream,
  content: Readable | LentPieces,
  signal: AbortSignal,
  headers: Record<string, number> = {},
): Promise<void> {
  if (stream.destroyed || stream.closed) {
    content.destroy();
    return;
  }
  stream.respond({ ":status": 200, ...headers }, { waitForTrailers: true });
  await writeChecked(content, stream, { check: "gmac", signal });
}

async function body<S extends z.ZodMiniType>(stream: ServerHttp2Stream, schema: S): Promise<z.output<S>> {
  const text = (await readBounded(stream, REQUEST_MAX_BYTES)).toString();
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new AppError({ code: "invalid_json", message: "The body of the request is not JSON.", cause });
  }
  const parsed = z.safeParse(schema, json);
  if (parsed.success) return parsed.data;
  throw new AppError({ code: "invalid_request", message: parsed.error.message.slice(0, 1000) });
}

function wholeNumber(query: URLSearchParams, name: string): number {
  const value = Number(query.get(name) ?? Number.NaN);
  if (Number.isSafeInteger(value) && value >= 0) return value;
  throw new AppError({ code: "invalid_request", message: `The query needs ${name}, a whole number.` });
}
