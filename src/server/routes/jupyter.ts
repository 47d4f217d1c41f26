import { OpenAnswer, OpenQuery } from "../../contract/api.ts";
import { jupyterBasePath } from "../../contract/live.ts";
import { passProgramRequest, passProgramSocket, refuseBrowsers } from "../previews/program-passage.ts";
import type { App, RouteContext } from "../route-context.ts";
import { errorAnswers, JobParams } from "../route-schemas.ts";
import { type PassedRequest, passedRoutes } from "./passed-routes.ts";

/** Jupyter Lab of a sandbox: its address for browsers, and its API for programs. */
export function jupyterRoutes(app: App, context: RouteContext): void {
  const { orchestrator, previews, requests } = context;

  app.post(
    "/jobs/:id/jupyter/open",
    {
      schema: {
        tags: ["surfaces"],
        summary: "An address at which a browser shows the Jupyter Lab of a sandbox",
        description:
          "As that of a port. `path` is where in Jupyter it leads, such as `/lab/tree/notebook.ipynb`. It is started first, so an image " +
          "without it is told here.",
        params: JobParams,
        querystring: OpenQuery,
        response: {
          200: OpenAnswer,
          ...errorAnswers("invalid_id", "not_found", "expired", "conflict", "invalid_request", "link_lost"),
        },
      },
    },
    async (request, reply) => {
      const { id } = request.params;
      const surfaces = await orchestrator.surfaces(id);
      await surfaces.service("jupyter", requests.signal(reply));
      surfaces.touch();
      const base = jupyterBasePath(id);
      const { path = "/lab" } = request.query;
      const whole = path.startsWith(base) ? path : `${base}${path.slice(1)}`;
      return previews.open(
        id,
        { kind: "jupyter" },
        { path: whole, host: request.headers.host, caller: request.caller },
      );
    },
  );

  const visitOf = async ({ request, rest, signal }: PassedRequest) => {
    const { id } = JobParams.parse(request.params);
    const base = jupyterBasePath(id);
    refuseBrowsers(request, `${base}open`);
    const surfaces = await orchestrator.surfaces(id);
    const path = `${base}${rest.slice(1)}`;
    return {
      surfaces,
      target: { kind: "jupyter" } as const,
      request: request.raw,
      path,
      prefix: null,
      signal,
    };
  };
  passedRoutes(app, context, "/jobs/:id/jupyter", {
    request: async (passed, response) => passProgramRequest(await visitOf(passed), context.passing, response),
    socket: async (passed, socket) => passProgramSocket(await visitOf(passed), context.passing, socket),
  });
}
