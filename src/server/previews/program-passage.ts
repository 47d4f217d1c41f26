import type { IncomingMessage, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import type { FastifyRequest } from "fastify";
import { AppError } from "../../contract/errors.ts";
import { programAnswerLines } from "./answer-headers.ts";
import { changesSomething } from "./gate.ts";
import type { HeaderLine } from "./header-lines.ts";
import { connectInside, credentialOf, type Inside } from "./inside.ts";
import { passRequest } from "./passage.ts";
import { requestLines } from "./request-headers.ts";
import type { SandboxPagesOptions } from "./sandbox-pages.ts";
import { passSocket } from "./socket-passage.ts";

export type ProgramVisit = Inside & {
  request: IncomingMessage;
  /** Path and query for the server inside. */
  path: string;
  /** What stands before them at this server's own address; null where the server inside knows it. */
  prefix: string | null;
  signal: AbortSignal;
};

/** What a sandbox answers at the API's own address is inert there: nothing in it runs, and no page of another site can read or show it. */
const INERT: readonly HeaderLine[] = [
  ["Content-Security-Policy", "sandbox; default-src 'none'; frame-ancestors 'none'"],
  ["Cross-Origin-Resource-Policy", "same-origin"],
  ["Referrer-Policy", "no-referrer"],
  ["X-Content-Type-Options", "nosniff"],
  ["X-Frame-Options", "DENY"],
];

/** Sent by browsers only; `sec-fetch-mode` alone is also sent by Node's fetch. */
const OF_BROWSERS = ["sec-fetch-site", "sec-fetch-dest", "sec-fetch-user", "upgrade-insecure-requests"];

/**
 * Throws AppError `forbidden_origin` for a request that a browser makes: what a sandbox serves must not come from this origin. With a
 * WebSocket Chromium sends nothing but `Origin`, which is looked at for every request to this server, and which programs send too; but who came
 * in by a browser's cookie is no program.
 */
export function refuseBrowsers(
  { headers, caller }: Pick<FastifyRequest, "headers" | "caller">,
  open: string,
): void {
  const found = OF_BROWSERS.find((name) => headers[name] !== undefined);
  const is_browser = found !== undefined || caller.by === "browser";
  if (!is_browser && headers["sec-fetch-mode"] !== "navigate") return;
  throw new AppError({
    code: "forbidden_origin",
    message: "What a sandbox serves is not shown to browsers here.",
    hint: `POST ${open} answers with an address for browsers.`,
  });
}

/** Passes a program's request on; errors as `passRequest`. */
export async function passProgramRequest(
  visit: ProgramVisit,
  options: SandboxPagesOptions,
  response: ServerResponse,
): Promise<void> {
  const { request, path, signal, surfaces } = visit;
  const connect = async (): Promise<Duplex> => {
    const stream = await connectInside(visit, options.slots, signal);
    if (changesSomething(request.method ?? "")) surfaces.touch();
    return stream;
  };
  const lines = await linesFor(visit, options);
  await passRequest({ request, path, lines, connect, answerLines: answerLinesFor(visit), signal }, response);
}

/** Passes a program's WebSocket on; errors as `passSocket`. */
export async function passProgramSocket(
  visit: ProgramVisit,
  options: SandboxPagesOptions,
  socket: Duplex,
): Promise<void> {
  const { path, signal, surfaces } = visit;
  const connect = () => connectInside(visit, options.slots, signal);
  const heard = () => surfaces.touch();
  const lines = await linesFor(visit, options);
  await passSocket({ path, lines, connect, answerLines: answerLinesFor(visit), heard, signal }, socket);
}

function answerLinesFor({ prefix }: ProgramVisit): (raw: readonly string[]) => HeaderLine[] {
  return (raw) => [...programAnswerLines(raw, prefix), ...INERT];
}

async function linesFor(
  visit: ProgramVisit,
  { isOwnCredential }: SandboxPagesOptions,
): Promise<HeaderLine[]> {
  return requestLines(visit.request, {
    host: visit.target.kind === "port" ? `localhost:${visit.target.port}` : "localhost",
    scheme: "http",
    prefix: visit.prefix,
    origin: null,
    cookies: "drop",
    isOwnCredential,
    authorization: await credentialOf(visit, visit.signal),
  });
}
