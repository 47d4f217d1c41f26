import { LogsQuery } from "../../contract/api.ts";
import type { App, RouteContext } from "../route-context.ts";
import { errorAnswers, JobParams, rawAnswer } from "../route-schemas.ts";
import { sendStream } from "../streamed-answer.ts";

export function logRoutes(app: App, context: RouteContext): void {
  const { orchestrator, requests, slots, log } = context;
  // `/logs/{id}` is the name that clients of the original system know.
  for (const url of ["/jobs/:id/logs", "/logs/:id"]) {
    app.get(
      url,
      {
        exposeHeadRoute: false,
        schema: {
          tags: ["events"],
          summary: "What the steps wrote",
          description:
            "Exactly the bytes, both streams in stored order, nothing added. Ends at once unless `follow`.",
          params: JobParams,
          querystring: LogsQuery,
          response: {
            200: rawAnswer("The bytes, in whatever encoding the steps wrote.", "text/plain"),
            ...errorAnswers("invalid_id", "not_found", "expired", "invalid_request"),
          },
        },
      },
      async (request, reply) => {
        const { id } = request.params;
        const { follow = false, stream = null, step = null } = request.query;
        await orchestrator.job(id);
        using _slot = slots.take();
        const signal = requests.signal(reply);
        await sendStream(
          reply,
          {
            status: 200,
            headers: { "content-type": "text/plain; charset=utf-8" },
            content: orchestrator.logs(id, { follow, stream, step }, signal),
            quiet: follow,
          },
          { signal, log },
        );
      },
    );
  }
}
