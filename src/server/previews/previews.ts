import { createHmac } from "node:crypto";
import type { EventEmitter } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import type { OpenAnswer } from "../../contract/api.ts";
import type { Config } from "../../contract/config.ts";
import { AppError } from "../../contract/errors.ts";
import type { Log } from "../../core/dependencies.ts";
import type { JobSurfaces } from "../../core/job-surfaces.ts";
import type { Caller, SignIns } from "../../core/sign-ins.ts";
import type { PreviewHost } from "../front.ts";
import { OneTimeCodes } from "../one-time-codes.ts";
import type { OpenRequests } from "../open-requests.ts";
import type { Served } from "../route-context.ts";
import { pageLines } from "./answer-headers.ts";
import { refusalOf, socketRefusalOf } from "./gate.ts";
import { type OpenedBy, PreviewCookie } from "./preview-cookie.ts";
import type { PreviewKind, PreviewPages, PreviewTarget, Visit } from "./preview-kind.ts";
import { PreviewNames } from "./preview-names.ts";
import { originOf, type PreviewOrigin, PreviewOrigins } from "./preview-origin.ts";
import {
  failedPage,
  GONE,
  lockedPage,
  PAGE_POLICY,
  type PreviewPage,
  refusedPage,
  render,
} from "./preview-page.ts";
import { goodbye, sendHead } from "./socket-passage.ts";
import { codeIn, withCode } from "./visit-path.ts";

export type PreviewsOptions = {
  orchestrator: Pick<Served, "surfaces">;
  /** With the sign-in that opened a preview ends what is open of it. */
  sign_ins: Pick<SignIns, "isIn" | "onEnd">;
  /** Kept with the state: with it names and cookies outlive a restart. */
  secret: string;
  config: Config["previews"];
  /** The server's token, or null: another one makes every cookie void. */
  token: string | null;
  requests: OpenRequests;
  pages: Record<PreviewKind, PreviewPages>;
  log: Log;
  /** Time of day, and a clock that never goes back. */
  now_ms?: () => number;
  elapsed_ms?: () => number;
};

/** The origins that previews have of their own: who may come in, and what answers there. */
export class Previews implements PreviewHost {
  readonly #options: PreviewsOptions;
  readonly #names: PreviewNames;
  readonly #origins: PreviewOrigins;
  /** Each grants one preview, by its name. One that is tried elsewhere is used up too. */
  readonly #codes: OneTimeCodes<{ name: string; by: OpenedBy }>;
  readonly #cookie: PreviewCookie;

  constructor(options: PreviewsOptions) {
    const { secret, config, token, now_ms = Date.now, elapsed_ms = () => performance.now() } = options;
    this.#options = options;
    this.#names = new PreviewNames({ base: config.host, secret });
    this.#origins = new PreviewOrigins(config);
    this.#codes = new OneTimeCodes(elapsed_ms);
    const key = createHmac("sha256", secret)
      .update(`cookies ${token ?? ""}`)
      .digest("base64url");
    this.#cookie = new PreviewCookie({ key, now_ms });
  }

  /**
   * The address of a preview, with a code in it that is good once and soon. `host` is the `Host` by which the client called this server.
   * Throws AppError `conflict` unless the job is at work, and `too_many_requests`.
   */
  async open(
    job_id: string,
    target: PreviewTarget,
    { path, host, caller }: { path: string; host: string | undefined; caller: Caller },
  ): Promise<OpenAnswer> {
    await this.#atWork(job_id);
    const name = this.#names.nameOf(job_id, target);
    const by = "token_id" in caller ? caller.token_id : null;
    const url = `${this.#origins.at(name, host)}${withCode(path, this.#codes.make({ name, by }))}`;
    return { url };
  }

  owns(host: string | undefined): boolean {
    const origin = originOf(host);
    return origin !== null && this.#names.owns(origin.name);
  }

  request(request: IncomingMessage, response: ServerResponse): void {
    this.#answer(request, response).catch((error: unknown) => {
      this.#tellFault(error);
      response.destroy();
    });
  }

  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    socket.on("error", () => socket.destroy());
    if (head.length > 0) socket.unshift(head);
    this.#answerUpgrade(request, socket).catch((error: unknown) => {
      this.#tellFault(error);
      refuse(socket, error instanceof AppError ? error.status : 500);
    });
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const here = this.#here(request);
    for (const [name, value] of pageLines(here.framed_by)) response.setHeader(name, value);
    const page = await this.#tryAnswer(request, response, here);
    if (page === null) return;
    const { body, headers } = render(page);
    const policy = response.getHeader("content-security-policy");
    response.setHeader("content-security-policy", [String(policy), PAGE_POLICY]);
    response.writeHead(page.status, headers).end(body);
  }

  /** Null when it is answered; else the page that says why not. */
  async #tryAnswer(
    request: IncomingMessage,
    response: ServerResponse,
    here: PreviewOrigin,
  ): Promise<PreviewPage | null> {
    const preview = this.#names.read(here.name);
    const url = request.url ?? "";
    if (preview === null) return GONE;
    if (!url.startsWith("/")) return refusedPage("Only a path can be asked for here.");
    const refusal = refusalOf({ method: request.method ?? "", headers: request.headers }, here.origin);
    if (refusal !== null) return refusedPage(refusal);
    const { code, path } = codeIn(url);
    const known = this.#opened(request, here);
    if (code !== null && request.method === "GET") {
      const granted = this.#codes.use(code);
      const entered = granted?.name === here.name && this.#holds(granted.by);
      if (!entered && known === null) return lockedPage(preview.target, true);
      if (entered) response.setHeader("set-cookie", this.#cookie.made(here.name, granted.by));
      leadTo(`${here.origin}${path}`, response);
      return null;
    }
    if (known === null) return lockedPage(preview.target, false);
    let surfaces: JobSurfaces;
    try {
      surfaces = await this.#atWork(preview.job_id);
    } catch (error) {
      if (hasEnded(error)) return GONE;
      this.#tellFault(error);
      return failedPage(error, null);
    }
    const signed_out = this.#signedOut(known.by, response);
    const signal = AbortSignal.any([
      this.#options.requests.signal({ raw: response }),
      surfaces.ended,
      signed_out,
    ]);
    const { origin, framed_by } = here;
    return this.#visit({ ...preview, surfaces, request, path, origin, framed_by, signal }, response);
  }

  /** Null when its pages answered. */
  async #visit(visit: Visit, response: ServerResponse): Promise<PreviewPage | null> {
    try {
      await this.#options.pages[visit.target.kind].request(visit, response);
      return null;
    } catch (error) {
      if (response.headersSent || response.destroyed) {
        response.destroy();
        return null;
      }
      if (visit.surfaces.ended.aborted) return GONE;
      this.#tellFault(error);
      const nothing_there = error instanceof AppError && error.code === "port_unanswered";
      if (!nothing_there) return failedPage(error, null);
      const listening = await visit.surfaces.ports(visit.signal).catch(() => null);
      return failedPage(error, listening?.ports.map(({ port }) => port) ?? null);
    }
  }

  async #answerUpgrade(request: IncomingMessage, socket: Duplex): Promise<void> {
    const here = this.#here(request);
    const preview = this.#names.read(here.name);
    const url = request.url ?? "";
    if (preview === null) return refuse(socket, GONE.status);
    if (!url.startsWith("/")) return refuse(socket, 400);
    const head = { method: request.method ?? "", headers: request.headers };
    if (socketRefusalOf(head, here.origin) !== null) return refuse(socket, 403);
    const known = this.#opened(request, here);
    if (known === null) return refuse(socket, 401);
    const surfaces = await this.#atWork(preview.job_id);
    const signed_out = this.#signedOut(known.by, socket);
    const signal = AbortSignal.any([this.#options.requests.stopping, surfaces.ended, signed_out]);
    const { path } = codeIn(url);
    const { origin, framed_by } = here;
    const visit = { ...preview, surfaces, request, path, origin, framed_by, signal };
    await this.#options.pages[preview.target.kind].upgrade(visit, socket);
  }

  #opened({ headers }: IncomingMessage, { name }: PreviewOrigin): { by: OpenedBy } | null {
    return this.#cookie.opened(headers.cookie, name, (by) => this.#holds(by));
  }

  #holds(by: OpenedBy): boolean {
    return by === null || this.#options.sign_ins.isIn(by);
  }

  /** Aborts when the sign-in that opened the preview ends while the connection is open. */
  #signedOut(by: OpenedBy, connection: EventEmitter): AbortSignal {
    const ended = new AbortController();
    if (by === null) return ended.signal;
    const takeBack = this.#options.sign_ins.onEnd({ by: "browser", token_id: by }, () =>
      ended.abort(new AppError({ code: "unauthorized", message: "The sign-in has ended." })),
    );
    connection.once("close", takeBack);
    return ended.signal;
  }

  async #atWork(job_id: string): Promise<JobSurfaces> {
    const surfaces = await this.#options.orchestrator.surfaces(job_id);
    surfaces.ended.throwIfAborted();
    return surfaces;
  }

  /** What is no error of the world goes into the log; the person is told no more than that it is there. */
  #tellFault(error: unknown): void {
    if (error instanceof AppError) return;
    const detail = error instanceof Error ? (error.stack ?? error.message) : String(error);
    this.#options.log("error", "A preview failed.", { error: detail });
  }

  #here({ headers }: IncomingMessage): PreviewOrigin {
    return this.#origins.of(headers.host ?? "");
  }
}

/** The address is whole, because a path may begin with two slashes, which would be another host. */
function leadTo(location: string, response: ServerResponse): void {
  response.writeHead(303, { location, "cache-control": "no-store", "referrer-policy": "no-referrer" }).end();
}

/** What is said of a job that is not at work. One that was removed is over, too. */
function hasEnded(error: unknown): boolean {
  return error instanceof AppError && ["conflict", "not_found", "expired"].includes(error.code);
}

function refuse(socket: Duplex, status: number): void {
  sendHead(socket, status, [
    ["Content-Length", "0"],
    ["Connection", "close"],
  ]);
  goodbye(socket);
}
