import { FileList } from "../../contract/link-answers.ts";
import type { ArchiveFormat } from "../../core/artifacts.ts";
import { byteRange } from "../byte-range.ts";
import type { App, RouteContext } from "../route-context.ts";
import { errorAnswers, FileParams, FolderQuery, JobParams, RootQuery, rawAnswer } from "../route-schemas.ts";
import { sendStream } from "../streamed-answer.ts";
import { attachment, UNTRUSTED } from "../untrusted.ts";
import { folderPath, workspacePath } from "../workspace-path.ts";

const READ_ERRORS = ["invalid_id", "invalid_path", "not_found", "expired", "conflict", "link_lost"] as const;
const ARCHIVES: Record<ArchiveFormat, { type: string; ending: string }> = {
  zip: { type: "application/zip", ending: "zip" },
  tar: { type: "application/x-tar", ending: "tar" },
};

/** Reading: from the sandbox while the job has one, from its ZIP afterwards. */
export function fileRoutes(app: App, context: RouteContext): void {
  const { orchestrator, requests, log } = context;

  app.get(
    "/jobs/:id/files",
    {
      schema: {
        tags: ["files"],
        summary: "A folder",
        params: JobParams,
        querystring: FolderQuery,
        response: { 200: FileList, ...errorAnswers(...READ_ERRORS) },
      },
    },
    async (request, reply) => {
      const { path, root } = request.query;
      const files = await orchestrator.files(request.params.id);
      return files.list({ root, path: folderPath(path) }, requests.signal(reply));
    },
  );

  app.get(
    "/jobs/:id/files/*",
    {
      schema: {
        tags: ["files"],
        summary: "A file",
        params: FileParams,
        querystring: RootQuery,
        response: {
          200: rawAnswer("The file.", "application/octet-stream"),
          206: rawAnswer("The part that `Range` asked for.", "application/octet-stream"),
          ...errorAnswers(...READ_ERRORS, "range_not_satisfiable"),
        },
      },
    },
    async (request, reply) => {
      const place = { root: request.query.root, path: workspacePath(request.params["*"]) };
      const signal = requests.signal(reply);
      const files = await orchestrator.files(request.params.id);
      // Without a validator nothing can be compared, so with If-Range the whole is sent.
      const wanted = request.headers["if-range"] === undefined ? request.headers.range : undefined;
      let file = await files.read(place, null, signal);
      const { size_bytes } = file;
      let range: ReturnType<typeof byteRange> = null;
      if (wanted !== undefined || request.method === "HEAD") {
        file.content.on("error", () => {}).destroy();
        range = byteRange(wanted, size_bytes);
        if (request.method !== "HEAD") file = await files.read(place, range, signal);
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
            "content-disposition": attachment(place.path.split("/").at(-1) ?? "file"),
            ...(range === null ? {} : { "content-range": `bytes ${range.start}-${range.end}/${size_bytes}` }),
          },
          content: file.content,
        },
        { signal, log },
      );
    },
  );

  app.get(
    "/jobs/:id/archive",
    {
      schema: {
        tags: ["files"],
        summary: "A folder with all that is in it, or a file, as a ZIP or a tar",
        description:
          "A tar for `Accept: application/x-tar`, else a ZIP. What could be a danger where it is unpacked is left out.",
        params: JobParams,
        querystring: FolderQuery,
        response: {
          200: rawAnswer("The archive.", "application/zip", "application/x-tar"),
          ...errorAnswers(...READ_ERRORS),
        },
      },
    },
    async (request, reply) => {
      const { id } = request.params;
      const place = { root: request.query.root, path: folderPath(request.query.path) };
      const signal = requests.signal(reply);
      const format = /\bapplication\/x-tar\b/.test(request.headers.accept ?? "") ? "tar" : "zip";
      const files = await orchestrator.files(id);
      const content = await files.archive(place, format, signal);
      if (request.method === "HEAD") content.on("error", () => {}).destroy();
      const { type, ending } = ARCHIVES[format];
      const name = place.path.split("/").at(-1) || place.root;
      const headers = {
        ...UNTRUSTED,
        "content-type": type,
        "content-disposition": attachment(`${name}.${ending}`),
        vary: "accept",
      };
      await sendStream(reply, { status: 200, headers, content }, { signal, log });
    },
  );
}
