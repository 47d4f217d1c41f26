import assert from "node:assert/strict";
import { test } from "node:test";
import { wordsOf } from "./requests.ts";

test("a provider's answer that a CLI hands on whole is told by its words, anything else as it is", () => {
  const error = { code: 401, message: "API key not valid.", status: "UNAUTHENTICATED" };
  assert.equal(wordsOf(JSON.stringify({ error })), "401 API key not valid.");
  assert.equal(wordsOf(JSON.stringify({ error: { message: "No such model" } })), "No such model");
  for (const other of ["Internal error", "null", "{}", '{"error":"x"}', '{"error":{"message":1}}', "{"])
    assert.equal(wordsOf(other), other);
});
