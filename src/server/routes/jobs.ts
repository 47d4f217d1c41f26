import { CancelAnswer, EgressAnswer, EgressRequest, JobsAnswer, JobsQuery } from "../../contract/api.ts";
import { Job } from "../../contract/job.ts";
import type { App, RouteContext } from "../route-context.ts";
import { errorAnswers, JobParams } from "../route-schemas.ts";

export function jobRoutes(app: App, { orchestrator }: RouteContext): void {
  // `/job/{id}` is the name that clients of the original system know; browsers get the dashboard there.
  for (const url of ["/status/:id", "/job/:id"]) {
    app.get(
      url,
      {
        schema: {
          tags: ["jobs"],
          summary: "A job",
          params: JobParams,
          response: { 200: Job, ...errorAnswers("invalid_id", "not_found", "expired") },
        },
      },
      (request, reply) => {
        if (url === "/job/:id") reply.header("vary", "accept");
        return orchestrator.job(request.params.id);
      },
    );
  }

  app.get(
    "/jobs",
    {
      schema: {
        tags: ["jobs"],
        summary: "Jobs, newest first",
        querystring: JobsQuery,
        response: { 200: JobsAnswer, ...errorAnswers("invalid_request") },
      },
    },
    (request) => orchestrator.jobs(request.query),
  );

  app.post(
    "/cancel/:id",
    {
      schema: {
        tags: ["jobs"],
        summary: "Cancel a job",
        description: "Idempotent. The work so far is still packed.",
        params: JobParams,
        response: { 200: CancelAnswer, ...errorAnswers("invalid_id", "not_found", "expired") },
      },
    },
    (request) => orchestrator.cancel(request.params.id),
  );

  app.post(
    "/jobs/:id/egress",
    {
      schema: {
        tags: ["jobs"],
        summary: "Open a host for this job",
        description:
          "Beside what its policy lets through, from now on and for this job alone. Idempotent. Addresses that no policy lets through " +
          "stay closed.",
        params: JobParams,
        body: EgressRequest,
        response: {
          200: EgressAnswer,
          ...errorAnswers(
            "invalid_json",
            "invalid_id",
            "not_found",
            "expired",
            "conflict",
            "unsupported_media_type",
            "invalid_request",
          ),
        },
      },
    },
    (request) => orchestrator.openEgress(request.params.id, request.body.host),
  );
}
