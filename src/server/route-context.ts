import type { IncomingMessage, ServerResponse } from "node:http";
import type { FastifyBaseLogger, FastifyInstance, RawServerDefault } from "fastify";
import type { ZodTypeProvider } from "fastify-type-provider-zod";
import type { Log } from "../core/dependencies.ts";
import type { Orchestrator } from "../core/orchestrator.ts";
import type { Caller, SignIns } from "../core/sign-ins.ts";
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
  sign_ins: SignIns;
  /** Origins at which other machines have the dashboard. */
  origins: readonly string[];
  /** A clock that never goes back. */
  elapsed_ms: () => number;
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
  interface FastifyRequest {
    /** Who makes it; not set where anybody may come. */
    caller: Caller;
    /** Lets the answer go out although the sign-in that it came in by ends. */
    outlive(): void;
  }
}
