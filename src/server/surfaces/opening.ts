import type { Duplex } from "node:stream";
import type { FastifyReply, FastifyRequest } from "fastify";
import { AppError } from "../../contract/errors.ts";
import type { JobSurfaces } from "../../core/job-surfaces.ts";
import type { RouteContext } from "../route-context.ts";
import { JobParams } from "../route-schemas.ts";

declare module "fastify" {
  interface FastifyRequest {
    /** What `openingStream` opened for this WebSocket; its handler owns the stream. */
    live: { surfaces: JobSurfaces; stream: Duplex };
  }
}

/**
 * Opens what a WebSocket is about before the handshake is answered, so that a refusal is an HTTP error with its sentence, as everywhere.
 * A client that goes away meanwhile takes the stream with it.
 */
export function openingStream(
  { orchestrator, requests }: RouteContext,
  open: (request: FastifyRequest, surfaces: JobSurfaces, signal: AbortSignal) => Promise<Duplex>,
): { preHandler: (request: FastifyRequest, reply: FastifyReply) => Promise<void> } {
  return {
    preHandler: async (request, reply) => {
      if (!request.ws)
        throw new AppError({ code: "invalid_request", message: "Only WebSockets are taken here." });
      const { id } = JobParams.parse(request.params);
      const surfaces = await orchestrator.surfaces(id);
      const signal = requests.signal(reply);
      const stream = await open(request, surfaces, signal);
      stream.on("error", () => undefined);
      request.raw.socket.once("close", () => stream.destroy());
      if (request.raw.socket.destroyed) stream.destroy();
      request.live = { surfaces, stream };
    },
  };
}
