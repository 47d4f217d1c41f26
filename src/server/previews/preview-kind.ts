// What answers below the name of a preview, by kind: `port` and `jupyter` stand in this folder, `desktop` in ../surfaces/desktop.
// A kind is registered in ../app.ts: `previews: { port: …, jupyter: …, desktop: … }`.
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import type { JobSurfaces } from "../../core/job-surfaces.ts";
import type { FramedBy } from "./answer-headers.ts";

/** What a preview is of. Its name says it: `p5173-…`, `jupyter-…`, `desktop-…`. */
export type PreviewTarget = { kind: "port"; port: number } | { kind: "jupyter" } | { kind: "desktop" };
export type PreviewKind = PreviewTarget["kind"];

/**
 * A request that has passed the gate: it bears the cookie of this very preview, a page of this very preview made it (or it is the
 * navigation to one), and its job is at work.
 */
export type Visit = {
  job_id: string;
  target: PreviewTarget;
  surfaces: JobSurfaces;
  request: IncomingMessage;
  /** Path and query, which begin with `/`; the one-time code is no longer in them. */
  path: string;
  /** This preview's own origin, as `http://p5173-….localhost:8000`. */
  origin: string;
  /** The origins that may frame it, beside itself. */
  framed_by: FramedBy;
  /** Aborts when the client has gone, the server stops, or the job is ending; for an upgrade when the server stops or the job is ending. */
  signal: AbortSignal;
};

/**
 * Answers for one kind of preview. An AppError that is thrown before the answer has begun becomes a page (or, for an upgrade, an HTTP
 * error). Headers that every preview has (frame-ancestors among them) are set on `response` already. Call `visit.surfaces.touch()` for
 * what a person did.
 */
export interface PreviewPages {
  request(visit: Visit, response: ServerResponse): Promise<void>;
  /** A WebSocket of a page of this preview; the socket is the handler's, `head` having been put back into it. */
  upgrade(visit: Visit, socket: Duplex): Promise<void>;
}
