import { Server } from "node:http";
import multipart from "@fastify/multipart";
import rateLimit from "@fastify/rate-limit";
import websocket from "@fastify/websocket";
import Fastify, { type FastifyReply, type FastifyRequest } from "fastify";
import { serializerCompiler, type ZodTypeProvider } from "fastify-type-provider-zod";
import { EVENTS_HEARTBEAT_MS, JSON_BODY_MAX_BYTES, VERSION_HEADER } from "../contract/api.ts";
import { AppError } from "../contract/errors.ts";
import { UPLOAD_MAX_BYTES } from "../contract/upload-bounds.ts";
import { compareVersions, VERSION } from "../contract/version.ts";
import type { Log } from "../core/dependencies.ts";
import type { SignIns } from "../core/sign-ins.ts";
import { DashboardPage } from "./dashboard/dashboard-page.ts";
import { dashboardRoutes, knowBrowsers } from "./dashboard/dashboard-routes.ts";
import { sendError } from "./error-answer.ts";
import { createFront } from "./front.ts";
import { KnownPaths } from "./known-paths.ts";
import { OpenRequests, stopping } from "./open-requests.ts";
import { describeRoutes } from "./openapi.ts";
import { ConnectionSlots } from "./previews/connection-slots.ts";
import { Previews, type PreviewsOptions } from "./previews/previews.ts";
import { type SandboxPagesOptions, sandboxPages } from "./previews/sandbox-pages.ts";
import { checkOrigin } from "./request-origin.ts";
import type { App, RouteContext, Served } from "./route-context.ts";
import { conversationRoutes } from "./routes/conversation.ts";
import { desktopRoutes } from "./routes/desktop.ts";
import { downloadRoutes } from "./routes/download.ts";
import { eventRoutes } from "./routes/events.ts";
import { execRoutes } from "./routes/exec.ts";
import { fileChangeRoutes } from "./routes/file-changes.ts";
import { fileRoutes } from "./routes/files.ts";
import { forwardRoutes } from "./routes/forward.ts";
import { jobRoutes } from "./routes/jobs.ts";
import { jupyterRoutes } from "./routes/jupyter.ts";
import { keptRoutes } from "./routes/kept.ts";
import { logRoutes } from "./routes/logs.ts";
import { metaRoutes } from "./routes/meta.ts";
import { portRoutes } from "./routes/ports.ts";
import { scheduleRoutes } from "./routes/schedule.ts";
import { signInRoutes } from "./routes/sign-in.ts";
import { terminalRoutes } from "./routes/terminal.ts";
import { tokenRoutes } from "./routes/tokens.ts";
import { callerOf } from "./sign-in.ts";
import { answerSocketError } from "./socket-errors.ts";
import { STREAMS_OPEN_MAX, StreamSlots } from "./stream-slots.ts";
import { desktopPages } from "./surfaces/desktop/desktop-pages.ts";
import { validatorCompiler } from "./validation.ts";

/** Requests are counted over this long, so that a short burst is no offence. */
const RATE_WINDOW_S = 10;
const PATH_PART_MAX_CHARS = 8_192;
/** One message of a WebSocket: a paste into a terminal or a desktop fits. */
const SOCKET_MESSAGE_MAX_BYTES = 16 * 1024 * 1024;

export type ServerOptions = {
  orchestrator: Served;
  /** Who may come in. */
  sign_ins: SignIns;
  /** The installation's own token. Null serves without sign-in, which `listen` allows on loopback only. */
  token: string | null;
  /** With it the fingerprints of Idempotency-Keys are made; another one forgets the keys that were used. */
  fingerprint_secret: string;
  log: Log;
  /** Per client address. */
  requests_per_second: number;
  /** The secret of the names and cookies of previews, and where they are. */
  previews: Pick<PreviewsOptions, "secret" | "config">;
  /** Names, beside loopback ones and addresses, by which this server may be called. */
  hosts?: readonly string[];
  /** Origins of https at which other machines have the dashboard, beside http://sealwork.localhost. */
  dashboard_origins?: readonly string[];
  /** A clock that never goes back. */
  elapsed_ms?: () => number;
  /** The folder of the built dashboard; null: there is none, and a page says how to build it. */
  dashboard?: string | null;
  version?: string;
  heartbeat_ms?: number;
  streams_max?: number;
  json_max_bytes?: number;
  upload_max_bytes?: number;
};

const HEADERS = {
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
  "referrer-policy": "no-referrer",
  "cross-origin-resource-policy": "same-origin",
  "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
  "cache-control": "no-store",
};

/** The HTTP interface over an orchestrator, which it does not own. Close it with `app.close()`: open streams end, jobs go on. */
export async function createServer(options: ServerOptions): Promise<App> {
  const version = options.version ?? VERSION;
  const heartbeat_ms = options.heartbeat_ms ?? EVENTS_HEARTBEAT_MS;
  const { sign_ins } = options;
  const origins = options.dashboard_origins ?? [];
  const config = { ...options.previews.config };
  config.framed_by = [...config.framed_by, ...origins];
  const requests = new OpenRequests();
  const passing: SandboxPagesOptions = {
    slots: new ConnectionSlots(),
    isOwnCredential: (text) => sign_ins.hasSecret(text),
  };
  const inside = sandboxPages(passing);
  const previews = new Previews({
    secret: options.previews.secret,
    config,
    orchestrator: options.orchestrator,
    sign_ins,
    token: options.token,
    log: options.log,
    requests,
    pages: { port: inside, jupyter: inside, desktop: desktopPages({ heartbeat_ms }) },
  });
  const folder = options.dashboard ?? null;
  const dashboard = new DashboardPage({ folder, previews: config });
  const context: RouteContext = {
    orchestrator: options.orchestrator,
    sign_ins,
    origins,
    elapsed_ms: options.elapsed_ms ?? (() => performance.now()),
    version,
    fingerprint_secret: options.fingerprint_secret,
    log: options.log,
    requests,
    previews,
    dashboard,
    passing,
    slots: new StreamSlots(options.streams_max ?? STREAMS_OPEN_MAX),
    heartbeat_ms,
    upload_max_bytes: options.upload_max_bytes ?? UPLOAD_MAX_BYTES,
  };
  const fail = (error: unknown, request: FastifyRequest, reply: FastifyReply) => {
    reply.headers({ ...HEADERS, [VERSION_HEADER]: version });
    sendError(error, request, reply, options.log);
  };
  const upgrades = new Server();
  const app: App = Fastify({
    serverFactory: (api) => createFront(api, previews, upgrades),
    logger: false,
    bodyLimit: options.json_max_bytes ?? JSON_BODY_MAX_BYTES,
    return503OnClosing: false,
    routerOptions: { maxParamLength: PATH_PART_MAX_CHARS },
    frameworkErrors: (error, request, reply) => fail(error, request as FastifyRequest, reply as FastifyReply),
    clientErrorHandler: answerSocketError,
  }).withTypeProvider<ZodTypeProvider>();

  const paths = new KnownPaths();
  app.addHook("onRoute", ({ url, method, constraints }) => {
    if (constraints?.reader === undefined) paths.add(url, method);
  });
  knowBrowsers(app);
  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(serializerCompiler);
  app.setErrorHandler(fail);
  app.setNotFoundHandler((request) => {
    throw noRoute(request, paths);
  });
  app.addHook("preClose", async () => requests.close());
  takeJson(app);
  await app.register(rateLimit, { global: false });
  await app.register(multipart);
  await app.register(websocket, {
    options: { server: upgrades, maxPayload: SOCKET_MESSAGE_MAX_BYTES, perMessageDeflate: false },
    // What is open was told by `requests` that the server stops, and closes itself.
    preClose: (done) => done(),
  });
  await guard(app, options, { version, requests, paths });
  await describeRoutes(app, version);
  dashboardRoutes(app, { page: dashboard, folder });
  for (const routes of [
    scheduleRoutes,
    jobRoutes,
    conversationRoutes,
    eventRoutes,
    logRoutes,
    fileRoutes,
    fileChangeRoutes,
    keptRoutes,
    downloadRoutes,
    desktopRoutes,
    forwardRoutes,
    portRoutes,
    jupyterRoutes,
    terminalRoutes,
    execRoutes,
    signInRoutes,
    tokenRoutes,
    metaRoutes,
  ])
    routes(app, context);
  await app.ready();
  return app;
}

/** What every request passes, in this order, before anything of its body is read. */
async function guard(
  app: App,
  options: ServerOptions,
  { version, requests, paths }: { version: string; requests: OpenRequests; paths: KnownPaths },
): Promise<void> {
  const limited = app.createRateLimit({
    max: options.requests_per_second * RATE_WINDOW_S,
    timeWindow: RATE_WINDOW_S * 1000,
  });
  const { sign_ins, dashboard_origins: origins = [] } = options;
  const hosts = [...(options.hosts ?? []), ...origins.map((origin) => new URL(origin).hostname)];
  app.addHook("onRequest", async (request, reply) => {
    reply.headers({ ...HEADERS, [VERSION_HEADER]: version });
    if (requests.closing) throw stopping();
    const { headers, socket } = request.raw;
    checkOrigin(headers, { local_address: socket.localAddress, hosts });
    const rate = await limited(request);
    if (!rate.isAllowed && rate.isExceeded) {
      reply.header("retry-after", rate.ttlInSeconds);
      throw new AppError({
        code: "too_many_requests",
        message: `More than ${options.requests_per_second} requests a second came from this client.`,
        hint: `Wait ${rate.ttlInSeconds} s; follow events instead of asking again and again.`,
      });
    }
    if (request.routeOptions.config.open !== true) {
      request.caller = callerOf(request.raw, { sign_ins, origins });
      request.outlive = endWith(request, reply, sign_ins);
    }
    checkVersion(headers[VERSION_HEADER], version);
    if (request.is404) {
      const methods = paths.methods(request.url.split("?")[0] ?? "");
      if (methods.length > 0) reply.header("allow", methods.join(", "));
      throw noRoute(request, paths);
    }
  });
}

/** Cuts what is open when the sign-in that it came in by ends, unless that is taken back by what this gives. */
function endWith({ caller, raw }: FastifyRequest, reply: FastifyReply, sign_ins: SignIns): () => void {
  const takeBack = sign_ins.onEnd(caller, () => raw.socket.destroy());
  const over = raw.headers.upgrade === undefined ? reply.raw : raw.socket;
  over.once("close", takeBack);
  return takeBack;
}

function checkVersion(client: string | string[] | undefined, server: string): void {
  if (typeof client !== "string") return;
  const outcome = compareVersions({ client: client.slice(0, 50), server });
  if (!outcome.compatible) throw new AppError({ code: "version_mismatch", message: outcome.message });
}

/** JSON is the only body but multipart; an empty one is told from a broken one by the routes that need it. */
function takeJson(app: App): void {
  const parse = app.getDefaultJsonParser("error", "error");
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("application/json", { parseAs: "string" }, (request, body, done) => {
    if (body.length === 0) done(null, undefined);
    else parse(request, String(body), done);
  });
}

function noRoute(request: FastifyRequest, paths: KnownPaths): AppError {
  const path = (request.url.split("?")[0] ?? "").slice(0, 200);
  const methods = paths.methods(request.url.split("?")[0] ?? "");
  if (methods.length > 0)
    return new AppError({
      code: "method_not_allowed",
      message: `${path} does not take ${request.method}.`,
      hint: `It takes ${methods.join(", ")}.`,
    });
  return new AppError({
    code: "not_found",
    message: `There is no route ${path}.`,
    hint: "/docs lists all of them.",
  });
}
