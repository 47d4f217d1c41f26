import assert from "node:assert/strict";
import { test } from "node:test";
import { JsonLines, MESSAGE_MAX_BYTES } from "./json-lines.ts";

test("messages come whole and in order, however their bytes are cut, and what is no message is given apart", () => {
  const text = '{"a":"ü"}\n\nhello\n[1]\n{"b":\n{"c":3}\r\n{"d":4';
  const bytes = Buffer.from(text);
  for (const size of [1, 2, 7, bytes.length]) {
    const lines = new JsonLines();
    const others: string[] = [];
    const messages: object[] = [];
    for (let at = 0; at < bytes.length; at += size)
      messages.push(...lines.push(bytes.subarray(at, at + size), (line) => others.push(line)));
    assert.deepEqual(messages, [{ a: "ü" }, { c: 3 }]);
    assert.deepEqual(others, ["hello", "[1]", '{"b":']);
  }
});

test("a line that does not end is not kept for ever", () => {
  const lines = new JsonLines();
  const piece = Buffer.alloc(1024 * 1024, "x");
  assert.throws(() => {
    for (let bytes = 0; bytes <= MESSAGE_MAX_BYTES; bytes += piece.length) lines.push(piece, () => {});
  }, /more than \d+ bytes/);
});
