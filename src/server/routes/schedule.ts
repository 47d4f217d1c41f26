import { ScheduleAnswer } from "../../contract/api.ts";
import { AppError } from "../../contract/errors.ts";
import { type Job, JobRequest } from "../../contract/job.ts";
import { idempotencyOf } from "../idempotency.ts";
import { drain } from "../request-body.ts";
import type { App, RouteContext } from "../route-context.ts";
import { errorAnswers, JobParams } from "../route-schemas.ts";
import { readUpload } from "../upload-parts.ts";
import { parsed, validatorCompiler } from "../validation.ts";

export function scheduleRoutes(app: App, context: RouteContext): void {
  const { orchestrator, requests } = context;

  app.post(
    "/schedule",
    {
      // The job stands in the body itself or in a part of it, so the handler validates it.
      validatorCompiler: (route) =>
        route.httpPart === "body" ? (data: unknown) => ({ value: data }) : validatorCompiler(route as never),
      schema: {
        tags: ["jobs"],
        summary: "Schedule a job",
        description:
          "JSON, or multipart/form-data: first the part `job` with the same JSON, then parts `files` whose filename is the path under " +
          "the workspace, and at most one `archive`, a ZIP. With an `Idempotency-Key` the same call again answers with the same job.",
        body: JobRequest,
        response: {
          200: ScheduleAnswer,
          ...errorAnswers(
            "invalid_json",
            "invalid_upload",
            "invalid_request",
            "body_too_large",
            "unsupported_media_type",
            "idempotency_mismatch",
            "queue_full",
            "engine_unreachable",
          ),
        },
      },
    },
    async (request, reply) => {
      const signal = requests.signal(reply);
      const multipart = request.isMultipart();
      // A large archive takes longer to judge than a connection may otherwise be silent.
      if (multipart) request.raw.once("end", () => request.raw.setTimeout(0));
      try {
        const { job, files } = multipart
          ? await readUpload(request, context.upload_max_bytes)
          : { job: given(request.body), files: null };
        const wanted = parsed(JobRequest, "body", job);
        const idempotency = idempotencyOf(request.headers["idempotency-key"], wanted, {
          multipart,
          secret: context.fingerprint_secret,
        });
        return answerOf(await orchestrator.schedule(wanted, { upload: files, idempotency }, signal));
      } finally {
        if (multipart) await drain(request.raw);
      }
    },
  );

  app.post(
    "/jobs/:id/retry",
    {
      schema: {
        tags: ["jobs"],
        summary: "Schedule the same task again, files and env included",
        params: JobParams,
        response: {
          200: ScheduleAnswer,
          ...errorAnswers(
            "invalid_id",
            "not_found",
            "expired",
            "invalid_request",
            "queue_full",
            "engine_unreachable",
          ),
        },
      },
    },
    async (request) => answerOf(await orchestrator.retry(request.params.id)),
  );
}

/** A body that is missing altogether is told from one with faults in it. */
function given(body: unknown): unknown {
  if (body !== undefined && body !== null) return body;
  throw new AppError({
    code: "invalid_json",
    message: "The body is empty.",
    hint: 'Send the job as JSON: {"prompt": "…"}',
  });
}

function answerOf({ job_id, status, links }: Job): ScheduleAnswer {
  return { job_id, status, links };
}
