import type { FastifySchemaCompiler } from "fastify";
import type { core, z } from "zod";
import type { ErrorDetail } from "../contract/error-body.ts";
import { AppError } from "../contract/errors.ts";

/** Faults named in one answer; a body can have any number of them. */
const DETAILS_MAX = 50;
const WORD_MAX_CHARS = 200;

/** Fastify's parts of a request, as FastAPI names them in `loc`. */
const PLACES: Record<string, string> = {
  body: "body",
  querystring: "query",
  params: "path",
  headers: "header",
};

/** Validates parts of requests with Zod; see `parsed` for what is thrown. */
export const validatorCompiler: FastifySchemaCompiler<z.ZodType> = ({ schema, httpPart }) => {
  const place = PLACES[httpPart ?? "body"] ?? "body";
  return (data) => {
    try {
      return { value: parsed(schema, place, data) };
    } catch (error) {
      return { error: error as Error };
    }
  };
};

/**
 * The data as the schema has it. Throws AppError `invalid_request` with one detail for each fault, `loc` beginning with `place`;
 * for ids in the path `invalid_id`.
 */
export function parsed<T extends z.ZodType>(schema: T, place: string, data: unknown): z.output<T> {
  const result = schema.safeParse(data);
  if (result.success) return result.data;
  if (place === "path") throw invalidId(result.error);
  const details = result.error.issues
    .slice(0, DETAILS_MAX)
    .flatMap((issue) => detailsOf(issue, place, data))
    .slice(0, DETAILS_MAX);
  const [first] = details;
  throw new AppError({
    code: "invalid_request",
    message:
      first === undefined
        ? "The request is not valid."
        : `${first.loc.slice(1).join(".") || place}: ${first.msg}`,
    details,
  });
}

/** What else than the id of a job can stand in a path, and how it is written. */
const PATH_PARTS: Record<string, string> = {
  sha256: "The name of a blob is its SHA-256: 64 lower-case hexadecimal digits.",
  n: "The number of a question is a whole number from 1 on.",
  port: "A port is a whole number from 1 to 65535.",
  token_id: "A token is named by its id, a UUID.",
  terminal: "A terminal is named by up to 16 lower-case letters and digits.",
};

function invalidId(error: z.ZodError): AppError {
  const other = PATH_PARTS[String(error.issues[0]?.path[0])];
  if (other !== undefined) return new AppError({ code: "invalid_id", message: other });
  return new AppError({
    code: "invalid_id",
    message: "The id in the path is not a UUID.",
    hint: "`GET /jobs` lists the ids of all jobs.",
  });
}

function detailsOf(issue: core.$ZodIssue, place: string, data: unknown): ErrorDetail[] {
  const loc = [place, ...issue.path.map((part) => (typeof part === "number" ? part : cut(String(part))))];
  if (issue.code === "unrecognized_keys")
    return issue.keys.slice(0, DETAILS_MAX).map((key) => ({
      loc: [...loc, cut(key)],
      msg: `There is no field ${JSON.stringify(cut(key))} here.`,
      type: "extra_forbidden",
    }));
  if (issue.code === "invalid_key")
    return [{ loc, msg: "The name is not one that is allowed here.", type: "invalid_key" }];
  if (issue.code === "invalid_type" && at(data, issue.path) === undefined)
    return [{ loc, msg: "The field is required.", type: "missing" }];
  return [{ loc, msg: issue.message, type: issue.code === "custom" ? "value_error" : issue.code }];
}

function at(data: unknown, path: readonly PropertyKey[]): unknown {
  let here = data;
  for (const part of path) {
    if (typeof here !== "object" || here === null) return undefined;
    here = Reflect.get(here, part);
  }
  return here;
}

function cut(word: string): string {
  return word.length <= WORD_MAX_CHARS ? word : `${word.slice(0, WORD_MAX_CHARS)}…`;
}
