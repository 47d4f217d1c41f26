import { z } from "zod";
import { FileList } from "../../contract/link-answers.ts";
import { byteRange } from "../byte-range.ts";
import type { App, RouteContext } from "../route-context.ts";
import { BlobParams, errorAnswers, FileParams, JobParams, rawAnswer } from "../route-schemas.ts";
import { sendStream } from "../streamed-answer.ts";
import { workspacePath } from "../workspace-path.ts";

const FilesQuery = z.strictObject({ path: z.string().default("") });

/** What comes out of a sandbox is hostile: a browser must save it and never show it as a page of this origin. */
const UNTRUSTED = {
  "content-type": "application/octet-stream",
  "content-security-policy": "sandbox; default-src 'none'",
  "x-content-type-options": "nosniff",
};

export function fileRoutes(app: App, context: RouteContext): void {
  const { orchestrator, requests, log } = context;

  app.get(
    "/jobs/:id/files",
    {
      schema: {
        tags: ["files"],
        summary: "A folder of the workspace",
        params: JobParams,
        querystring: FilesQuery,
        response: {
          200: FileList,
          ...errorAnswers("invalid_id", "invalid_path", "not_found", "expired", "conflict", "link_lost"),
        },
      },
    },
    (request, reply) => {
      const { path } = request.query;
      const folder = path === "" ? "" : workspacePath(path.replace(/\/$/, ""));
      return orchestrator.files(request.params.id, folder, requests.signal(reply));
    },
  );

  app.get(
    "/jobs/:id/files/*",
    {
      schema: {
        tags: ["files"],
        summary: "A file of the workspace",
        params: FileParams,
        response: {
          200: rawAnswer("The file.", "application/octet-stream"),
          206: rawAnswer("The part that `Range` asked for.", "application/octet-stream"),
          ...errorAnswers(
            "invalid_id",
            "invalid_path",
            "not_found",
            "expired",
            "conflict",
            "range_not_satisfiable",
            "link_lost",
          ),
        },
      },
    },
    async (request, reply) => {
      const { id } = request.params;
      const path = workspacePath(request.params["*"]);
      const signal = requests.signal(reply);
      // Without a validator nothing can be compared, so with If-Range the whole is sent.
      const wanted = request.headers["if-range"] === undefined ? request.headers.range : undefined;
      let file = await orchestrator.file(id, path, null, signal);
      const { size_bytes } = file;
      let range: ReturnType<typeof byteRange> = null;
      if (wanted !== undefined || request.method === "HEAD") {
        file.content.on("error", () => {}).destroy();
        range = byteRange(wanted, size_bytes);
        if (request.method !== "HEAD") file = await orchestrator.file(id, path, range, signal);
      }
      const length = range === null ? size_bytes : range.end - range.start + 1;
      await sendStream(
        reply,
        {
          status: range === null ? 200 : 206,
          headers: {
            ...UNTRUSTED,
            "content-length": length,
            "accept-ranges": "bytes",
            "content-disposition": attachment(path.split("/").at(-1) ?? "file"),
            ...(range === null ? {} : { "content-range": `bytes ${range.start}-${range.end}/${size_bytes}` }),
          },
          content: file.content,
        },
        { signal, log },
      );
    },
  );

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

/** RFC 6266: a plain name for old clients, and the true one in UTF-8. */
function attachment(name: string): string {
  const plain = name.replace(/[^A-Za-z0-9._ -]/g, "_");
  const encoded = encodeURIComponent(name.toWellFormed()).replace(
    /['()*]/g,
    (c) => `%${c.charCodeAt(0).toString(16)}`,
  );
  return `attachment; filename="${plain}"; filename*=UTF-8''${encoded}`;
}
