import assert from "node:assert/strict";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { test } from "node:test";
import { keyMask } from "./key-mask.ts";

const KEY = "sk-a/key+of-the-provider-0123";

async function passed(chunks: readonly string[], key: string | null = KEY): Promise<string> {
  const mask = keyMask(key);
  assert.ok(mask !== null);
  return (await buffer(Readable.from(chunks.map((chunk) => Buffer.from(chunk))).pipe(mask))).toString();
}

test("a key is hidden wherever it passes, however it is cut, and the length stays", async () => {
  const text = `data: {"error":"${KEY}"}\n\ndata: ${encodeURIComponent(KEY)} ${KEY}${KEY}, ${Buffer.from(KEY).toString("base64")}\n\n`;
  for (let size = 1; size <= text.length; size += 1) {
    const chunks = Array.from({ length: Math.ceil(text.length / size) }, (_, n) =>
      text.slice(n * size, (n + 1) * size),
    );
    const seen = await passed(chunks);
    assert.equal(seen.length, text.length);
    assert.match(seen, /^data: \{"error":"\*+"\}\n\ndata: \*+ \*+, \*+\n\n$/, `in pieces of ${size}`);
  }
});

test("what is like a key but is none passes as it is, its end included", async () => {
  for (const text of [
    "sk-a/key",
    `${KEY.slice(0, -1)}4`,
    `${KEY.slice(0, 10)}${KEY.slice(0, 10)}`,
    KEY.slice(0, -1),
  ])
    assert.equal(await passed([text.slice(0, 5), text.slice(5)]), text);
});

test("nothing waits but what could be the beginning of the key", async () => {
  const mask = keyMask(KEY);
  assert.ok(mask !== null);
  mask.write(Buffer.from(`data: one\n\n${KEY.slice(0, 7)}`));
  assert.equal(String(mask.read()), "data: one\n\n");
  mask.write(Buffer.from("X"));
  assert.equal(String(mask.read()), `${KEY.slice(0, 7)}X`);
});

test("a word that somebody gave for a key is nothing to hide", () => {
  assert.equal(keyMask("ollama"), null);
  assert.equal(keyMask(null), null);
});
