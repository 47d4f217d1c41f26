import { AppError } from "./errors.ts";

/** Channels of a frame. `control` carries JSON; the others are what a process reads and writes. */
export const CHANNELS = ["stdin", "stdout", "stderr", "control"] as const;
export type Channel = (typeof CHANNELS)[number];
export type Frame = { channel: Channel; data: Buffer };

/** Content of one frame. A longer piece of output is several frames. */
export const FRAME_MAX_BYTES = 64 * 1024;
/** A control frame may hold a command line with its environment. */
export const CONTROL_FRAME_MAX_BYTES = 2 * 1024 * 1024;
const HEAD_BYTES = 5;

/** A frame as bytes: the number of its channel, its length in four bytes (big-endian), its content. Long output becomes several frames. */
export function encodeFrame({ channel, data }: Frame): Buffer {
  if (channel === "control") return Buffer.concat([head(channel, data.length), data]);
  const pieces: Buffer[] = [];
  for (let at = 0; at < data.length || pieces.length === 0; at += FRAME_MAX_BYTES) {
    const piece = data.subarray(at, at + FRAME_MAX_BYTES);
    pieces.push(head(channel, piece.length), piece);
  }
  return Buffer.concat(pieces);
}

function head(channel: Channel, length: number): Buffer {
  const bytes = Buffer.alloc(HEAD_BYTES);
  bytes.writeUInt8(CHANNELS.indexOf(channel), 0);
  bytes.writeUInt32BE(length, 1);
  return bytes;
}

export function controlFrame(message: object): Buffer {
  return encodeFrame({ channel: "control", data: Buffer.from(JSON.stringify(message)) });
}

/**
 * The frames of a stream of bytes, each whole, in order. Holds one frame at most. Throws AppError `protocol_violated` for what is no frame,
 * one that is too long, or an end in the middle of one.
 */
export async function* readFrames(source: AsyncIterable<Buffer>): AsyncGenerator<Frame> {
  let held: Buffer[] = [];
  let length = 0;
  let wanted = HEAD_BYTES;
  for await (const chunk of source) {
    held.push(chunk);
    length += chunk.length;
    if (length < wanted) continue;
    let bytes = Buffer.concat(held);
    for (;;) {
      wanted = HEAD_BYTES;
      if (bytes.length < HEAD_BYTES) break;
      const channel = CHANNELS[bytes.readUInt8(0)];
      const size = bytes.readUInt32BE(1);
      const max = channel === "control" ? CONTROL_FRAME_MAX_BYTES : FRAME_MAX_BYTES;
      if (channel === undefined || size > max) throw broken("a frame has no channel, or is too long");
      wanted = HEAD_BYTES + size;
      if (bytes.length < wanted) break;
      yield { channel, data: bytes.subarray(HEAD_BYTES, wanted) };
      bytes = bytes.subarray(wanted);
    }
    held = [bytes];
    length = bytes.length;
  }
  if (length > 0) throw broken("it ended in the middle of a frame");
}

/** The JSON of a control frame. Throws AppError `protocol_violated` for what is none. */
export function controlOf({ data }: Frame): unknown {
  try {
    return JSON.parse(data.toString());
  } catch (cause) {
    throw broken("a control frame is not JSON", cause);
  }
}

function broken(why: string, cause?: unknown): AppError {
  return new AppError({
    code: "protocol_violated",
    message: `A stream of frames was broken: ${why}.`,
    cause,
  });
}
