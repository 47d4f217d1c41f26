import assert from "node:assert/strict";
import { test } from "node:test";
import { HeardFrames } from "./heard-frames.ts";

/** A frame as a client sends it, masked. */
function frame(opcode: number, text: string, mask = [1, 2, 3, 4]): Buffer {
  const content = Buffer.from(text).map((byte, index) => byte ^ (mask[index % 4] ?? 0));
  const head =
    content.length < 126
      ? [0x80 | opcode, 0x80 | content.length]
      : content.length < 65_536
        ? [0x80 | opcode, 0xfe, content.length >> 8, content.length & 255]
        : [0x80 | opcode, 0xff, 0, 0, 0, 0, ...[24, 16, 8, 0].map((bits) => (content.length >> bits) & 255)];
  return Buffer.concat([Buffer.from([...head, ...mask]), content]);
}

/** How often a person was heard, whatever pieces it comes in. */
function heard(...frames: Buffer[]): number {
  const bytes = Buffer.concat(frames);
  const counts = [1, 3, bytes.length].map((size) => {
    let count = 0;
    const listener = new HeardFrames(() => {
      count += 1;
    });
    for (let at = 0; at < bytes.length; at += size) listener.take(bytes.subarray(at, at + size));
    return count;
  });
  assert.equal(new Set(counts).size, 1, String(counts));
  return counts[0] ?? 0;
}

test("data is heard, short and long; pings, pongs and closing are not", () => {
  assert.equal(heard(frame(1, "hello"), frame(2, "\0"), frame(1, "x".repeat(300))), 3);
  assert.equal(heard(frame(1, "x".repeat(70_000)), frame(1, "after")), 2);
  assert.equal(heard(frame(9, "ping"), frame(10, "pong"), frame(10, ""), frame(8, "bye")), 0);
  assert.equal(heard(frame(10, "x".repeat(125)), frame(1, "then")), 1);
});

test("a heartbeat, the same short message again and again under whatever mask, is heard once", () => {
  const ping = '{"type":"ping"}';
  assert.equal(heard(frame(1, ping), frame(1, ping, [9, 8, 7, 6]), frame(1, ping, [0, 0, 0, 0])), 1);
  assert.equal(heard(frame(1, ping), frame(10, ""), frame(1, ping), frame(1, "typed"), frame(1, ping)), 3);
});
