import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { test } from "node:test";
import { type StreamCheck, sumOf } from "./stream-check.ts";

function sum(check: StreamCheck, ...pieces: Buffer[]): string {
  const made = sumOf(check);
  for (const piece of pieces) made.update(piece);
  return made.digest();
}

test("a sum is the same however its bytes are cut, and another one for any other bytes", () => {
  const bytes = randomBytes(100_003);
  const turned = Buffer.from(bytes);
  turned.writeUInt8(bytes.readUInt8(70_000) ^ 1, 70_000);
  for (const check of ["gmac", "sha256"] as const) {
    const whole = sum(check, bytes);
    assert.equal(sum(check, bytes.subarray(0, 7), bytes.subarray(7, 40_000), bytes.subarray(40_000)), whole);
    for (const other of [turned, bytes.subarray(1), Buffer.concat([bytes, Buffer.alloc(1)])])
      assert.notEqual(sum(check, other), whole);
    assert.notEqual(sum(check), sum(check, Buffer.alloc(1)));
  }
  assert.equal(sum("sha256", bytes), createHash("sha256").update(bytes).digest("hex"));
});
