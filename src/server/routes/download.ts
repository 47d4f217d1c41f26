import { z } from "zod";
import { byteRange, namesTag } from "../byte-range.ts";
import type { App, RouteContext } from "../route-context.ts";
import { errorAnswers, JobParams, rawAnswer } from "../route-schemas.ts";
import { sendStream } from "../streamed-answer.ts";

export function downloadRoutes(app: App, { orchestrator, requests, log }: RouteContext): void {
  app.get(
    "/download/:id",
    {
      schema: {
        tags: ["files"],
        summary: "The ZIP of an ended job",
        description:
          "Waits up to 30 s while the job is packing; before that 404 `not_ended` with `Retry-After`.",
        params: JobParams,
        response: {
          200: rawAnswer("The ZIP.", "application/zip"),
          206: rawAnswer("The part that `Range` asked for.", "application/zip"),
          304: z.null().describe("The client has it already."),
          ...errorAnswers("invalid_id", "not_found", "not_ended", "expired", "range_not_satisfiable"),
        },
      },
    },
    async (request, reply) => {
      const { id } = request.params;
      const signal = requests.signal(reply);
      const zip = await orchestrator.download(id, signal);
      const etag = `"${zip.sha256}"`;
      const always = { etag, "accept-ranges": "bytes", "cache-control": "private, no-cache" };
      const { range: wanted, "if-none-match": known } = request.headers;
      if (known !== undefined && namesTag(known, etag)) return reply.code(304).headers(always).send();
      // A range of another file than the client began with would make a broken one (RFC 9110, 13.1.5); weak tags do not count.
      const if_range = request.headers["if-range"];
      const same = if_range === undefined || if_range === etag;
      const range = same ? byteRange(wanted, zip.size_bytes) : null;
      await sendStream(
        reply,
        {
          status: range === null ? 200 : 206,
          headers: {
            ...always,
            "content-type": "application/zip",
            "content-disposition": `attachment; filename="sealwork-${id}.zip"`,
            "content-length": range === null ? zip.size_bytes : range.end - range.start + 1,
            ...(range === null
              ? {}
              : { "content-range": `bytes ${range.start}-${range.end}/${zip.size_bytes}` }),
          },
          content: request.method === "HEAD" ? nothing() : zip.open(range),
        },
        { signal, log },
      );
      return reply;
    },
  );
}

async function* nothing(): AsyncGenerator<string> {}
