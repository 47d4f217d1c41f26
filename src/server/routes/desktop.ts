import { Readable } from "node:stream";
import { OpenAnswer } from "../../contract/api.ts";
import {
  ClipboardRequest,
  ControlRequest,
  DesktopOpenQuery,
  DesktopQuery,
  DesktopView,
} from "../../contract/desktop-api.ts";
import type { App, RouteContext } from "../route-context.ts";
import { errorAnswers, JobParams, rawAnswer } from "../route-schemas.ts";
import { sendStream } from "../streamed-answer.ts";
import { type DesktopConnection, openDesktop, showDesktop } from "../surfaces/desktop/desktop-connection.ts";

declare module "fastify" {
  interface FastifyRequest {
    /** What was opened for this WebSocket; its handler owns it. */
    desktop: DesktopConnection;
  }
}

const REFUSALS = ["invalid_id", "not_found", "expired", "conflict", "invalid_request"] as const;

/** The desktop of a job: RFB as it is, who drives it, and a picture of it. */
export function desktopRoutes(app: App, context: RouteContext): void {
  const { orchestrator, previews, requests, log } = context;

  app.route({
    method: "GET",
    url: "/jobs/:id/desktop",
    exposeHeadRoute: false,
    schema: {
      tags: ["surfaces"],
      summary: "Who looks at the desktop, and who drives it",
      description:
        "As a WebSocket: the desktop itself, as RFB 3.8 (RFC 6143) in binary messages, without a password. What a viewer that does not drive " +
        "types, clicks, pastes or resizes is dropped. One who drives and whose connection is lost keeps driving for 5 s, as the same `viewer`.",
      params: JobParams,
      querystring: DesktopQuery,
      response: { 200: DesktopView, ...errorAnswers(...REFUSALS, "link_lost") },
    },
    preHandler: async (request, reply) => {
      if (!request.ws) return;
      const { id } = JobParams.parse(request.params);
      const surfaces = await orchestrator.surfaces(id);
      const connection = await openDesktop(
        surfaces,
        DesktopQuery.parse(request.query),
        requests.signal(reply),
      );
      const { stream } = connection;
      stream.on("error", () => undefined);
      request.raw.socket.once("close", () => stream.destroy());
      if (request.raw.socket.destroyed) stream.destroy();
      request.desktop = connection;
    },
    handler: async (request) => (await orchestrator.surfaces(request.params.id)).desktop.view,
    wsHandler: (socket, request) => {
      const { desktop } = request;
      showDesktop(socket, desktop, AbortSignal.any([desktop.surfaces.ended, requests.stopping]));
    },
  });

  app.post(
    "/jobs/:id/desktop/control",
    {
      schema: {
        tags: ["surfaces"],
        summary: "Take the desktop over, or give it back",
        description:
          "For a viewer that is connected. While somebody drives, the desktop tool of the agent waits. Both are idempotent; taking over from " +
          "somebody else needs `force`.",
        params: JobParams,
        body: ControlRequest,
        response: {
          200: DesktopView,
          ...errorAnswers(...REFUSALS, "invalid_json", "unsupported_media_type"),
        },
      },
    },
    async (request) => {
      const surfaces = await orchestrator.surfaces(request.params.id);
      const { viewer, take, force } = request.body;
      if (take) await surfaces.desktop.take(viewer, { force });
      else await surfaces.desktop.give(viewer);
      surfaces.touch();
      return surfaces.desktop.view;
    },
  );

  app.post(
    "/jobs/:id/desktop/clipboard",
    {
      schema: {
        tags: ["surfaces"],
        summary: "Whether the clipboard passes between viewers and the desktop",
        params: JobParams,
        body: ClipboardRequest,
        response: {
          200: DesktopView,
          ...errorAnswers(...REFUSALS, "invalid_json", "unsupported_media_type"),
        },
      },
    },
    async (request) => {
      const { desktop } = await orchestrator.surfaces(request.params.id);
      await desktop.setClipboard(request.body.enabled);
      return desktop.view;
    },
  );

  app.post(
    "/jobs/:id/desktop/open",
    {
      schema: {
        tags: ["surfaces"],
        summary: "An address at which a browser shows the desktop, and drives it",
        description: "As that of a port. The desktop is started first, so an image without one is told here.",
        params: JobParams,
        querystring: DesktopOpenQuery,
        response: { 200: OpenAnswer, ...errorAnswers(...REFUSALS, "link_lost") },
      },
    },
    async (request, reply) => {
      const { id } = request.params;
      const surfaces = await orchestrator.surfaces(id);
      await surfaces.service("desktop", requests.signal(reply));
      surfaces.touch();
      const { name } = request.query;
      const path = name === undefined ? "/" : `/#${new URLSearchParams({ name })}`;
      return previews.open(
        id,
        { kind: "desktop" },
        { path, host: request.headers.host, caller: request.caller },
      );
    },
  );

  app.get(
    "/jobs/:id/screen.png",
    {
      exposeHeadRoute: false,
      schema: {
        tags: ["surfaces"],
        summary: "The screen of the desktop",
        description: "As it is now; after the end of the job as it was captured last.",
        params: JobParams,
        response: {
          200: rawAnswer("The picture.", "image/png"),
          ...errorAnswers(...REFUSALS, "link_lost", "body_too_large"),
        },
      },
    },
    async (request, reply) => {
      const signal = requests.signal(reply);
      const { size_bytes, content } = await orchestrator.screen(request.params.id, signal);
      const headers = {
        "content-type": "image/png",
        "content-length": size_bytes,
        "content-security-policy": "sandbox; default-src 'none'",
      };
      await sendStream(reply, { status: 200, headers, content: Readable.from(content) }, { signal, log });
    },
  );
}
