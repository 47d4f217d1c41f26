import assert from "node:assert/strict";
import { test } from "node:test";
import { encodeFrame, FRAME_MAX_BYTES, type Frame, readFrames } from "./frames.ts";

async function read(...pieces: Buffer[]): Promise<Frame[]> {
  return Array.fromAsync(readFrames(pieces.values() as unknown as AsyncIterable<Buffer>));
}

test("frames arrive whole and in order, wherever the stream is cut; long output becomes several", async () => {
  const long = Buffer.alloc(2 * FRAME_MAX_BYTES + 3, "x");
  const bytes = Buffer.concat([
    encodeFrame({ channel: "stdin", data: Buffer.from("in") }),
    encodeFrame({ channel: "stdout", data: long }),
    encodeFrame({ channel: "stderr", data: Buffer.alloc(0) }),
  ]);
  for (const cut of [0, 1, 4, 5, 6, 7, 8, FRAME_MAX_BYTES, bytes.length - 1]) {
    const frames = await read(bytes.subarray(0, cut), bytes.subarray(cut));
    const sizes = frames.map(({ channel, data }) => `${channel} ${data.length}`);
    assert.deepEqual(sizes, ["stdin 2", "stdout 65536", "stdout 65536", "stdout 3", "stderr 0"]);
  }
});

test("what is no frame, too long, or cut is refused", async () => {
  const broken = { code: "protocol_violated" };
  await assert.rejects(read(Buffer.from([9, 0, 0, 0, 0])), broken);
  await assert.rejects(read(Buffer.from([0, 0, 1, 0, 1])), broken);
  await assert.rejects(
    read(encodeFrame({ channel: "stdin", data: Buffer.from("in") }).subarray(0, 6)),
    broken,
  );
});
