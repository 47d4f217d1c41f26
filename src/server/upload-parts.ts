import { type Readable, Transform } from "node:stream";
import type { MultipartFile } from "@fastify/multipart";
import type { FastifyRequest } from "fastify";
import { JSON_BODY_MAX_BYTES } from "../contract/api.ts";
import { AppError } from "../contract/errors.ts";
import { INPUT_FILES_MAX } from "../contract/upload-bounds.ts";
import type { UploadPart } from "../core/artifacts.ts";

const FIELD_NAME_MAX_BYTES = 100;

/**
 * Takes a multipart body apart: the part `job` first, then `files` (filename: the path under the workspace) and at most one `archive`.
 * `files` streams, one part at a time, and must be read in order. Throws AppError `invalid_upload`, `invalid_json`, `body_too_large`.
 */
export async function readUpload(
  request: FastifyRequest,
  upload_max_bytes: number,
): Promise<{ job: unknown; files: AsyncIterable<UploadPart> }> {
  if (Number(request.headers["content-length"] ?? 0) > upload_max_bytes) throw tooLarge(upload_max_bytes);
  const parts = request.parts({
    // Every part is a stream to us, so that each is bounded while it arrives.
    isPartAFile: () => true,
    preservePath: true,
    limits: {
      fieldNameSize: FIELD_NAME_MAX_BYTES,
      fileSize: upload_max_bytes,
      files: INPUT_FILES_MAX + 2,
      parts: INPUT_FILES_MAX + 2,
      headerPairs: 50,
    },
  });
  const first = await parts.next();
  if (first.done === true || first.value.type !== "file" || first.value.fieldname !== "job")
    throw new AppError({
      code: "invalid_upload",
      message: "The first part of the body must be `job`, with the JSON of the job.",
      hint: "curl -F job=@job.json -F 'files=@data.csv;filename=input/data.csv'",
    });
  const job = await readJob(first.value.file);
  return { job, files: files(parts, upload_max_bytes) };
}

async function readJob(content: Readable): Promise<unknown> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of content as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > JSON_BODY_MAX_BYTES) throw tooLarge(JSON_BODY_MAX_BYTES);
    chunks.push(chunk);
  }
  try {
    return JSON.parse(Buffer.concat(chunks).toString("utf8"));
  } catch (cause) {
    throw new AppError({ code: "invalid_json", message: "The part `job` is not valid JSON.", cause });
  }
}

async function* files(
  parts: AsyncIterableIterator<unknown>,
  upload_max_bytes: number,
): AsyncGenerator<UploadPart> {
  let archives = 0;
  const count = { length: 0 };
  for (let next = await parts.next(); next.done !== true; next = await parts.next()) {
    const part = next.value as MultipartFile;
    const content = counted(part.file, count, upload_max_bytes);
    if (part.fieldname === "files") {
      if (part.filename === undefined || part.filename === "")
        throw invalid("A part `files` has no filename; it is the path under the workspace.");
      yield { kind: "file", path: part.filename, content };
    } else if (part.fieldname === "archive") {
      archives += 1;
      if (archives > 1) throw invalid("The upload has more than one part `archive`.");
      yield { kind: "archive", content };
    } else {
      const name = JSON.stringify(String(part.fieldname).slice(0, FIELD_NAME_MAX_BYTES));
      throw invalid(`There is no part ${name}; there are: job (once, first), files, archive.`);
    }
  }
}

/** The bytes of a part, counted together with those of all others. */
function counted(source: Readable, count: { length: number }, max: number): Readable {
  const through = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      count.length += chunk.length;
      if (count.length > max) done(tooLarge(max));
      else done(null, chunk);
    },
  });
  // It may break before it is read, and whoever reads it then hears of it.
  through.on("error", () => undefined);
  source.once("error", (error) => through.destroy(error));
  return source.pipe(through);
}

function invalid(message: string): AppError {
  return new AppError({ code: "invalid_upload", message });
}

function tooLarge(max: number): AppError {
  return new AppError({ code: "body_too_large", message: `The body is larger than ${max} bytes.` });
}
