import type { IncomingMessage, ServerResponse } from "node:http";
import type { FastifyBaseLogger, FastifyInstance, RawServerDefault } from "fastify";
import type { ZodTypeProvider } from "fastify-type-provider-zod";
import type { Log } from "../core/dependencies.ts";
import type { Orchestrator } from "../core/orchestrator.ts";
import type { DashboardPage } from "./dashboard/dashboard-page.ts";
import type { OpenRequests } from "./open-requests.ts";
import type { Previews } from "./previews/previews.ts";
import type { SandboxPagesOptions } from "./previews/sandbox-pages.ts";
import type { StreamSlots } from "./stream-slots.ts";

/** Fastify with Zod as its schema language. */
export type App = FastifyInstance<
  RawServerDefault,
  IncomingMessage,
  ServerResponse,
  FastifyBaseLogger,
  ZodTypeProvider
>;

/** What the routes serve; its lifetime is not theirs. */
export type Served = Omit<Orchestrator, typeof Symbol.asyncDispose>;

/** What all routes share. */
export type RouteContext = {
  orchestrator: Served;
  version: string;
  fingerprint_secret: string;
  log: Log;
  requests: OpenRequests;
  previews: Previews;
  dashboard: DashboardPage;
  /** How what programs ask of a sandbox is passed on. */
  passing: SandboxPagesOptions;
  slots: StreamSlots;
  heartbeat_ms: number;
  upload_max_bytes: number;
};

declare module "fastify" {
  interface FastifyContextConfig {
    /** True for what answers without a token. */
    open?: boolean;
  }
}
