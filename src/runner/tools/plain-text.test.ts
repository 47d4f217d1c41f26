import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import { isBinary, plainText } from "./plain-text.ts";

test("escape sequences are left out, whatever their kind", () => {
  const text =
    "\u001b[1;31mred\u001b[0m \u001b]0;title\u0007\u001b]8;;http://x\u001b\\link\u001b(B \u001b=é\u0007";
  assert.equal(plainText(text), "red link é");
});

test("of a line that was written over, the last writing is left", () => {
  assert.equal(plainText("10%\r50%\r100%\ndone\r\nlast\r"), "100%\ndone\nlast");
});

test("bytes that are no text are told from text with colours, accents and a stray byte", () => {
  assert.equal(isBinary(randomBytes(1000)), true);
  assert.equal(isBinary(Buffer.from("\u001b[32mgrün\u001b[0m\tund so weiter\r\n".repeat(10))), false);
  assert.equal(isBinary(Buffer.from("latin \xe9 in a longer line", "latin1")), false);
  assert.equal(isBinary(Buffer.alloc(0)), false);
});
