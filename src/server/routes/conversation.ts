import { ApprovalAnswer, ApprovalRequest, MessageAnswer, MessageRequest } from "../../contract/api.ts";
import type { App, RouteContext } from "../route-context.ts";
import { ApprovalParams, errorAnswers, JobParams } from "../route-schemas.ts";

/** What people say to a job at work, and how they answer its questions. */
export function conversationRoutes(app: App, { orchestrator, requests }: RouteContext): void {
  app.post(
    "/jobs/:id/messages",
    {
      schema: {
        tags: ["jobs"],
        summary: "Say something to the agent of a job",
        description:
          "It reads the message at its next turn; one that waits for a follow-up goes on at once. Answered when the agent has it. Not " +
          "idempotent: sent twice, it is said twice.",
        params: JobParams,
        body: MessageRequest,
        response: {
          200: MessageAnswer,
          ...errorAnswers(
            "invalid_json",
            "invalid_id",
            "not_found",
            "conflict",
            "expired",
            "unsupported_media_type",
            "invalid_request",
            "link_lost",
          ),
        },
      },
    },
    (request, reply) => orchestrator.message(request.params.id, request.body.text, requests.signal(reply)),
  );

  app.post(
    "/jobs/:id/approvals/:n",
    {
      schema: {
        tags: ["jobs"],
        summary: "Answer a question of a job",
        description:
          "`n` is that of the event `approval.asked` and of `approvals` in the job. The same answer again is answered alike, another one " +
          "is a conflict: the first counts.",
        params: ApprovalParams,
        body: ApprovalRequest,
        response: {
          200: ApprovalAnswer,
          ...errorAnswers(
            "invalid_json",
            "invalid_id",
            "not_found",
            "conflict",
            "expired",
            "unsupported_media_type",
            "invalid_request",
          ),
        },
      },
    },
    (request) => orchestrator.decide(request.params.id, request.params.n, request.body.decision),
  );
}
