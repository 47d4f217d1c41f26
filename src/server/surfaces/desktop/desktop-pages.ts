import type { IncomingMessage, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import { WebSocketServer } from "ws";
import { z } from "zod";
import {
  ClipboardRequest,
  ControlRequest,
  DesktopQuery,
  type DesktopView,
} from "../../../contract/desktop-api.ts";
import { AppError } from "../../../contract/errors.ts";
import type { PreviewPages, Visit } from "../../previews/preview-kind.ts";
import { openDesktop, showDesktop } from "./desktop-connection.ts";
import { type PageFile, readPageFiles } from "./page-files.ts";

/** One message of a viewer: a paste fits. */
const MESSAGE_MAX_BYTES = 16 * 1024 * 1024;
const BODY_MAX_BYTES = 4 * 1024;

/** The page of a person who looks at a desktop and drives it: served at an origin of its own, as all previews are. */
export function desktopPages({ heartbeat_ms }: { heartbeat_ms: number }): PreviewPages {
  let reading: Promise<ReadonlyMap<string, PageFile>> | null = null;
  const sockets = new WebSocketServer({
    noServer: true,
    maxPayload: MESSAGE_MAX_BYTES,
    perMessageDeflate: false,
  });
  return {
    async request(visit, response) {
      const { method = "" } = visit.request;
      const path = pathOf(visit).pathname;
      if (method === "GET" && path === "/state") return tellState(visit, response, heartbeat_ms);
      if (method === "POST") return answerJson(response, () => ordered(visit, path));
      reading ??= readPageFiles().catch((error: unknown) => {
        // What could not be read now may be read the next time.
        reading = null;
        throw error;
      });
      const file = (await reading).get(path);
      if (file === undefined || (method !== "GET" && method !== "HEAD"))
        throw new AppError({ code: "not_found", message: "The page of the desktop has nothing here." });
      const policy = [String(response.getHeader("content-security-policy")), policyOf(visit.origin)];
      response.setHeader("content-security-policy", policy);
      response.writeHead(200, {
        "content-type": file.content_type,
        "content-length": file.body.length,
        "cache-control": file.cache_control,
        "referrer-policy": "no-referrer",
        "x-content-type-options": "nosniff",
      });
      response.end(method === "HEAD" ? undefined : file.body);
    },
    async upgrade(visit, socket) {
      const { pathname, searchParams } = pathOf(visit);
      if (pathname !== "/rfb")
        throw new AppError({ code: "not_found", message: "The page of the desktop has no such connection." });
      const query = parsed(DesktopQuery, Object.fromEntries(searchParams));
      const gone = goneSignal(socket);
      const opening = AbortSignal.any([gone, visit.signal]);
      const connection = await openDesktop(visit.surfaces, query, opening);
      connection.stream.on("error", () => undefined);
      socket.once("close", () => connection.stream.destroy());
      sockets.handleUpgrade(visit.request, socket, Buffer.alloc(0), (accepted) =>
        showDesktop(accepted, connection, visit.signal),
      );
    },
  };
}

/** The page loads what lies beside it, and connects to where it came from. noVNC draws cursors as `data:` images. */
function policyOf(origin: string): string {
  const socket = origin.replace(/^http/, "ws");
  return (
    `default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self' ${socket}; ` +
    "base-uri 'none'; form-action 'none'"
  );
}

function pathOf({ path, origin }: Visit): URL {
  return new URL(`${origin}${path}`);
}

async function ordered({ surfaces, request }: Visit, path: string): Promise<DesktopView> {
  const { desktop } = surfaces;
  if (path === "/control") {
    const { viewer, take, force } = parsed(ControlRequest, await jsonOf(request));
    if (take) await desktop.take(viewer, { force });
    else await desktop.give(viewer);
  } else if (path === "/clipboard") {
    await desktop.setClipboard(parsed(ClipboardRequest, await jsonOf(request)).enabled);
  } else throw new AppError({ code: "not_found", message: "The page of the desktop takes no such order." });
  surfaces.touch();
  return desktop.view;
}

async function answerJson(response: ServerResponse, make: () => Promise<object>): Promise<void> {
  let status = 200;
  let body: object;
  try {
    body = await make();
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    ({ status } = error);
    body = error.toBody();
  }
  response.writeHead(status, { "content-type": "application/json", "cache-control": "no-store" });
  response.end(JSON.stringify(body));
}

/** Server-sent events: who looks and who drives, now and with every change; `ended` when the job is over. */
async function tellState(
  { surfaces, signal }: Visit,
  response: ServerResponse,
  beat_ms: number,
): Promise<void> {
  response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-store" });
  let untold = false;
  const tell = (): void => {
    untold = response.writableNeedDrain;
    if (!untold) response.write(`data: ${JSON.stringify(surfaces.desktop.view)}\n\n`);
  };
  response.on("drain", () => {
    if (untold) tell();
  });
  const beating = setInterval(() => {
    if (!response.writableNeedDrain) response.write(":\n\n");
  }, beat_ms);
  using _listening = surfaces.desktop.onChange(tell);
  try {
    tell();
    await aborted(signal);
    response.end(surfaces.ended.aborted ? "event: ended\ndata: {}\n\n" : undefined);
  } finally {
    clearInterval(beating);
  }
}

function parsed<T extends z.ZodType>(schema: T, value: unknown): z.infer<T> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  throw new AppError({ code: "invalid_request", message: z.prettifyError(result.error).slice(0, 1_000) });
}

async function jsonOf(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > BODY_MAX_BYTES)
      throw new AppError({ code: "body_too_large", message: `An order is at most ${BODY_MAX_BYTES} bytes.` });
    chunks.push(chunk);
  }
  try {
    return JSON.parse(Buffer.concat(chunks).toString());
  } catch (cause) {
    throw new AppError({ code: "invalid_json", message: "An order is JSON.", cause });
  }
}

function goneSignal(socket: Duplex): AbortSignal {
  const gone = new AbortController();
  if (socket.destroyed) gone.abort();
  socket.once("close", () => gone.abort());
  return gone.signal;
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}
