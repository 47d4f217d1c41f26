import type { FastifyRequest } from "fastify";
import { z } from "zod";
import { FileAnswer, FilesAnswer, FolderAnswer, MoveRequest, UnpackAnswer } from "../../contract/api.ts";
import { AppError, type ErrorCode } from "../../contract/errors.ts";
import { INPUT_FILES_MAX } from "../../contract/upload-bounds.ts";
import { drain, requestBody, wholePart } from "../request-body.ts";
import type { App, RouteContext } from "../route-context.ts";
import { errorAnswers, FileParams, FolderQuery, JobParams, RootQuery, removal } from "../route-schemas.ts";
import { folderPath, workspacePath } from "../workspace-path.ts";

const CHANGE_ERRORS: ErrorCode[] = [
  "invalid_id",
  "invalid_path",
  "not_found",
  "expired",
  "conflict",
  "link_lost",
];
const WRITE_ERRORS: ErrorCode[] = [...CHANGE_ERRORS, "invalid_upload", "disk_full"];
const WriteAnswers = {
  200: FileAnswer.describe("The file was replaced."),
  201: FileAnswer.describe("The file is new."),
};

/** What people change in the sandbox of a job at work. */
export function fileChangeRoutes(app: App, context: RouteContext): void {
  bodyRoutes(app, context);
  const { orchestrator, requests } = context;

  app.post(
    "/jobs/:id/files",
    {
      schema: {
        tags: ["files"],
        summary: "Send several files into a folder",
        description:
          "multipart/form-data with parts `files`, whose filename is the path below the folder. Each file is written as by itself.",
        params: JobParams,
        querystring: FolderQuery,
        response: {
          200: FilesAnswer,
          ...errorAnswers(...WRITE_ERRORS, "body_too_large", "unsupported_media_type"),
        },
      },
    },
    async (request, reply) => {
      const folder = folderPath(request.query.path);
      const signal = requests.signal(reply);
      const written: FilesAnswer["files"] = [];
      try {
        for await (const part of partsOf(request, context.upload_max_bytes)) {
          const path = workspacePath(folder === "" ? part.path : `${folder}/${part.path}`);
          const place = { root: request.query.root, path };
          const files = await orchestrator.files(request.params.id);
          written.push({ path, ...(await files.write(place, part.content, { only_new: false }, signal)) });
        }
        return { files: written };
      } finally {
        await drain(request.raw);
      }
    },
  );

  app.patch(
    "/jobs/:id/files/*",
    {
      schema: {
        tags: ["files"],
        summary: "Move or rename a file or folder",
        description: "Nothing is ever replaced by it: 409 when there is something already.",
        params: FileParams,
        querystring: RootQuery,
        body: MoveRequest,
        response: {
          200: FolderAnswer,
          ...errorAnswers(...CHANGE_ERRORS, "invalid_json", "invalid_request", "unsupported_media_type"),
        },
      },
    },
    async (request, reply) => {
      const [path, to] = [workspacePath(request.params["*"]), workspacePath(request.body.path)];
      const files = await orchestrator.files(request.params.id);
      const change = { change: "rename", root: request.query.root, path, to } as const;
      await files.change(change, requests.signal(reply));
      return { path: to };
    },
  );

  app.put(
    "/jobs/:id/folders/*",
    {
      schema: {
        tags: ["files"],
        summary: "Make a folder and those above it; one that is there stays as it is",
        params: FileParams,
        querystring: RootQuery,
        response: { 200: FolderAnswer, ...errorAnswers(...CHANGE_ERRORS, "disk_full") },
      },
    },
    async (request, reply) => {
      const path = workspacePath(request.params["*"]);
      const files = await orchestrator.files(request.params.id);
      const change = { change: "make_folder", root: request.query.root, path } as const;
      await files.change(change, requests.signal(reply));
      return { path };
    },
  );

  app.delete(
    "/jobs/:id/files/*",
    {
      schema: {
        tags: ["files"],
        summary: "Remove a file, an empty folder, or with `recursive` a folder with all that is in it",
        params: FileParams,
        querystring: removal,
        response: { 204: z.null().describe("It is gone."), ...errorAnswers(...CHANGE_ERRORS) },
      },
    },
    async (request, reply) => {
      const { root, recursive } = request.query;
      const files = await orchestrator.files(request.params.id);
      const path = workspacePath(request.params["*"]);
      await files.change({ change: "remove", root, path, recursive }, requests.signal(reply));
      return reply.code(204).send(null);
    },
  );
}

/** Routes whose body is content: of any type, and taken as it comes. */
function bodyRoutes(app: App, { orchestrator, requests }: RouteContext): void {
  app.register(async (scope: App) => {
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser("*", (_request, _body, done) => done(null));

    scope.put(
      "/jobs/:id/files/*",
      {
        schema: {
          tags: ["files"],
          summary: "Write a file",
          description:
            "The body is its content, of any type and length. It appears whole or not at all and keeps the mode of the file that it replaces; " +
            "with `If-None-Match: *` it replaces nothing (412).",
          params: FileParams,
          querystring: RootQuery,
          response: { ...WriteAnswers, ...errorAnswers(...WRITE_ERRORS, "precondition_failed") },
        },
      },
      async (request, reply) => {
        const place = { root: request.query.root, path: workspacePath(request.params["*"]) };
        refuseParts(request);
        const only_new = request.headers["if-none-match"]?.trim() === "*";
        const files = await orchestrator.files(request.params.id);
        await using body = requestBody(request.raw);
        const written = await files.write(place, body.content, { only_new }, requests.signal(reply));
        return reply.code(written.created ? 201 : 200).send({ path: place.path, ...written });
      },
    );

    scope.put(
      "/jobs/:id/archive",
      {
        schema: {
          tags: ["files"],
          summary: "Unpack a tar into a folder",
          description:
            "The body is a tar of files, folders and symlinks, unpacked over what is there; modes and times of files are kept. Each file " +
            "appears whole or not at all.",
          params: JobParams,
          querystring: FolderQuery,
          response: { 200: UnpackAnswer, ...errorAnswers(...WRITE_ERRORS) },
        },
      },
      async (request, reply) => {
        const place = { root: request.query.root, path: folderPath(request.query.path) };
        refuseParts(request);
        const files = await orchestrator.files(request.params.id);
        await using body = requestBody(request.raw);
        return await files.unpack(place, body.content, requests.signal(reply));
      },
    );
  });
}

/** A part alone would be taken for the whole (RFC 9110, 14.5). */
function refuseParts({ headers }: FastifyRequest): void {
  if (headers["content-range"] === undefined) return;
  throw new AppError({ code: "invalid_upload", message: "A file is written whole, not in parts." });
}

/** The files of a multipart body, one at a time. */
async function* partsOf(request: FastifyRequest, max_bytes: number) {
  if (!request.isMultipart())
    throw new AppError({
      code: "unsupported_media_type",
      message: "Several files are sent as multipart/form-data.",
      hint: "curl -F 'files=@a.csv;filename=input/a.csv' …; for one file use PUT.",
    });
  const limits = { fileSize: max_bytes, files: INPUT_FILES_MAX, parts: INPUT_FILES_MAX, headerPairs: 50 };
  const parts = request.parts({ isPartAFile: () => true, preservePath: true, limits });
  for await (const part of parts) {
    if (part.type !== "file" || part.fieldname !== "files" || !part.filename)
      throw new AppError({
        code: "invalid_upload",
        message: "Each part is named `files`, and its filename is the path below the folder.",
      });
    yield { path: part.filename, content: wholePart(part.file, request.raw) };
  }
}
