import assert from "node:assert/strict";
import type { z } from "zod";
import { ErrorBody } from "../src/contract/error-body.ts";

/** The JSON of an answer that went well, as the schema has it, without anything beside it. */
export async function answered<T extends z.ZodType>(schema: T, answer: Response): Promise<z.output<T>> {
  const body: unknown = await answer.json();
  assert.equal(answer.status, 200, JSON.stringify(body));
  const parsed = schema.parse(body);
  assert.deepEqual(parsed, body, "the answer has nothing that the documentation does not name");
  return parsed;
}

/** The error of an answer, whose form is that of the documentation and whose message is a sentence that helps. */
export async function refused(answer: Response, status: number, code: string): Promise<ErrorBody["error"]> {
  const text = await answer.text();
  assert.equal(answer.status, status, text);
  assert.match(answer.headers.get("content-type") ?? "", /^application\/json/);
  const { error } = ErrorBody.strict().parse(JSON.parse(text));
  assert.equal(error.code, code, text);
  assert.match(error.message, /^\S.*\s.*\S$/s, "the message is a sentence");
  return error;
}
