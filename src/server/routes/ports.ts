import { z } from "zod";
import { OpenAnswer, OpenQuery } from "../../contract/api.ts";
import { PORT_MAX } from "../../contract/live.ts";
import { PortList } from "../../contract/surfaces.ts";
import { passProgramRequest, passProgramSocket, refuseBrowsers } from "../previews/program-passage.ts";
import type { App, RouteContext } from "../route-context.ts";
import { errorAnswers, JobParams } from "../route-schemas.ts";
import { type PassedRequest, passedRoutes } from "./passed-routes.ts";

const PortParams = JobParams.extend({ port: z.coerce.number().int().min(1).max(PORT_MAX) });

/** Which ports listen in a sandbox, their addresses for browsers, and the ports themselves for programs. */
export function portRoutes(app: App, context: RouteContext): void {
  const { orchestrator, previews, requests } = context;

  app.get(
    "/jobs/:id/ports",
    {
      schema: {
        tags: ["surfaces"],
        summary: "The TCP ports that listen in a sandbox",
        params: JobParams,
        response: {
          200: PortList,
          ...errorAnswers("invalid_id", "not_found", "expired", "conflict", "link_lost"),
        },
      },
    },
    async (request, reply) => {
      const surfaces = await orchestrator.surfaces(request.params.id);
      return surfaces.ports(requests.signal(reply));
    },
  );

  app.post(
    "/jobs/:id/ports/:port/open",
    {
      schema: {
        tags: ["surfaces"],
        summary: "An address at which a browser shows a port of a sandbox",
        description:
          "The address is an origin and a site of its own. It is good once, for 30 s; a tab and a frame need one each. `path` is where in " +
          "the page it leads.",
        params: PortParams,
        querystring: OpenQuery,
        response: {
          200: OpenAnswer,
          ...errorAnswers("invalid_id", "not_found", "expired", "conflict", "invalid_request"),
        },
      },
    },
    (request) => {
      const { id, port } = request.params;
      const { path = "/" } = request.query;
      return previews.open(
        id,
        { kind: "port", port },
        { path, host: request.headers.host, caller: request.caller },
      );
    },
  );

  const visitOf = async ({ request, rest, signal }: PassedRequest) => {
    const { id, port } = PortParams.parse(request.params);
    const prefix = `/jobs/${id}/ports/${port}`;
    refuseBrowsers(request, `${prefix}/open`);
    const surfaces = await orchestrator.surfaces(id);
    const target = { kind: "port", port } as const;
    return { surfaces, target, request: request.raw, path: rest, prefix, signal };
  };
  passedRoutes(app, context, "/jobs/:id/ports/:port", {
    request: async (passed, response) => passProgramRequest(await visitOf(passed), context.passing, response),
    socket: async (passed, socket) => passProgramSocket(await visitOf(passed), context.passing, socket),
  });
}
