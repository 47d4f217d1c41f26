import { z } from "zod";
import { PORT_MAX } from "../../contract/live.ts";
import type { App, RouteContext } from "../route-context.ts";
import { JobParams } from "../route-schemas.ts";
import { joinBytes, keepAlive } from "../surfaces/live-socket.ts";
import { openingStream } from "../surfaces/opening.ts";

const ForwardParams = JobParams.extend({ port: z.coerce.number().int().min(1).max(PORT_MAX) });

/** `WS /jobs/{id}/forward/{port}`: the bytes of one TCP connection to a port inside, for clients that open it as a port of their own. */
export function forwardRoutes(app: App, context: RouteContext): void {
  app.get(
    "/jobs/:id/forward/:port",
    {
      websocket: true,
      schema: { params: ForwardParams },
      ...openingStream(context, async (request, surfaces, signal) => {
        const { port } = ForwardParams.parse(request.params);
        return surfaces.connect(`port.${port}`, signal);
      }),
    },
    (socket, request) => {
      const { stream, surfaces } = request.live;
      keepAlive(socket, AbortSignal.any([surfaces.ended, context.requests.stopping]));
      joinBytes(socket, stream, () => surfaces.touch());
    },
  );
}
