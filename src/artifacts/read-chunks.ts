import { createReadStream } from "node:fs";

const READ_BYTES = 256 * 1024;

/** A file's bytes, piece by piece. */
export async function* readChunks(path: string): AsyncGenerator<Buffer> {
  for await (const chunk of createReadStream(path, { highWaterMark: READ_BYTES })) yield asBuffer(chunk);
}

/** What a stream in byte mode gave, for streams whose types do not say so. */
export function asBuffer(chunk: unknown): Buffer {
  if (Buffer.isBuffer(chunk)) return chunk;
  if (chunk instanceof Uint8Array) return Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
  return Buffer.from(String(chunk));
}
