import type { App, RouteContext } from "../route-context.ts";
import { BlobParams, errorAnswers, JobParams, rawAnswer } from "../route-schemas.ts";
import { sendStream } from "../streamed-answer.ts";
import { attachment, UNTRUSTED } from "../untrusted.ts";

/** What is kept of a job beside its files: blobs that events name, and its patch. */
export function keptRoutes(app: App, { orchestrator, requests, log }: RouteContext): void {
  app.get(
    "/jobs/:id/blobs/:sha256",
    {
      schema: {
        tags: ["files"],
        summary: "A blob that an event names",
        params: BlobParams,
        response: {
          200: rawAnswer("The blob.", "application/octet-stream"),
          ...errorAnswers("invalid_id", "not_found", "expired"),
        },
      },
    },
    async (request, reply) => {
      const { id, sha256 } = request.params;
      const signal = requests.signal(reply);
      const { size_bytes, content } = await orchestrator.blob(id, sha256);
      if (request.method === "HEAD") content.on("error", () => {}).destroy();
      await sendStream(
        reply,
        {
          status: 200,
          headers: {
            ...UNTRUSTED,
            "content-length": size_bytes,
            "content-disposition": attachment(sha256),
            "cache-control": "private, max-age=31536000, immutable",
            // Who has signed out finds nothing of it in the browser's cache.
            vary: "cookie, authorization",
          },
          content,
        },
        { signal, log },
      );
    },
  );

  app.get(
    "/jobs/:id/changes",
    {
      schema: {
        tags: ["files"],
        summary: "What the job changed of the files that were sent, as a git patch",
        params: JobParams,
        response: {
          200: rawAnswer("The patch.", "text/plain"),
          ...errorAnswers("invalid_id", "not_found", "not_ended", "expired"),
        },
      },
    },
    async (request, reply) => {
      const signal = requests.signal(reply);
      const content = await orchestrator.changes(request.params.id);
      if (request.method === "HEAD") content.on("error", () => {}).destroy();
      const headers = { ...UNTRUSTED, "content-type": "text/plain; charset=utf-8" };
      await sendStream(reply, { status: 200, headers, content }, { signal, log });
    },
  );
}
