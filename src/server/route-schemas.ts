import { z } from "zod";
import { flag } from "../contract/api.ts";
import { ErrorBody } from "../contract/error-body.ts";
import { ERRORS, type ErrorCode } from "../contract/errors.ts";
import { Sha256 } from "../contract/event.ts";
import { JobId } from "../contract/job.ts";
import { FILE_ROOTS } from "../contract/surfaces.ts";

/** Ids are compared in lower case, in which the server makes them. */
export const JobParams = z.object({ id: JobId.toLowerCase() });
export const FileParams = z.object({ id: JobId.toLowerCase(), "*": z.string() });
const root = z
  .enum(FILE_ROOTS)
  .default("workspace")
  .meta({ description: "Below which folder: the workspace, or the home folder that it lies in." });
export const RootQuery = z.strictObject({ root });
export const FolderQuery = z.strictObject({
  path: z.string().default("").meta({ description: "The root itself without it." }),
  root,
});
export const removal = z.strictObject({ root, recursive: flag.default(false) });
export const ApprovalParams = z.object({ id: JobId.toLowerCase(), n: z.coerce.number().int().min(1) });
export const BlobParams = z.object({ id: JobId.toLowerCase(), sha256: Sha256 });

/** The errors that any route can answer. */
const EVERYWHERE: ErrorCode[] = [
  "unauthorized",
  "forbidden_origin",
  "version_mismatch",
  "too_many_requests",
  "internal",
  "shutting_down",
];

type Answer = { description: string; content: Record<string, { schema: z.ZodType }> };

/** The error answers of a route, by HTTP status, for OpenAPI. */
export function errorAnswers(...codes: ErrorCode[]): Record<number, Answer> {
  const answers: Record<number, Answer> = {};
  for (const code of new Set([...codes, ...EVERYWHERE])) {
    const { status, meaning } = ERRORS[code];
    const line = `\`${code}\`: ${meaning}`;
    const answer = answers[status];
    if (answer === undefined)
      answers[status] = { description: line, content: { "application/json": { schema: ErrorBody } } };
    else answer.description += ` ${line}`;
  }
  return answers;
}

/** An answer that is no JSON, for OpenAPI. */
export function rawAnswer(description: string, ...content_types: string[]): Answer {
  const schema = z.string().meta({ format: "binary" });
  return { description, content: Object.fromEntries(content_types.map((type) => [type, { schema }])) };
}
