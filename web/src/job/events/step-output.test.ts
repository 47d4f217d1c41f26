import assert from "node:assert/strict";
import { test } from "node:test";
import { decodeOutput } from "../../../../src/contract/event.ts";
import type { EventOf } from "./job-events.ts";
import { chunkOf } from "./step-output.ts";

function textOf(data: string, encoding: "utf8" | "base64"): string {
  const event: EventOf<"step.output"> = {
    seq: 7,
    cursor: 7,
    job_id: "j",
    at: "2026-11-28T20:00:00.000Z",
    type: "step.output",
    data: { step: 1, stream: "stdout", encoding, data },
  };
  return chunkOf(event, { stdout: new TextDecoder(), stderr: new TextDecoder() }).text;
}

test("output is read as the server reads it, also what only says that it is base64", () => {
  assert.equal(textOf("aGVsbG8=", "base64"), "hello");
  assert.equal(textOf("hello", "utf8"), "hello");
  for (const data of ["", "a", "aGVsbG8", "aGVs\nbG8=", "aGVsbG8=bm8=", "aGVs*bG8", "=", "日本"])
    assert.equal(textOf(data, "base64"), decodeOutput({ encoding: "base64", data }).toString("utf8"), data);
  assert.equal(typeof textOf("<script>", "base64"), "string", "half a character waits for the rest of it");
});
