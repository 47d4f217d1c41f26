import { Readable, Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { FastifyReply } from "fastify";
import type { Log } from "../core/dependencies.ts";

/** A client that takes no byte for this long while some wait for it is taken for gone. */
const STALL_TIMEOUT_MS = 300_000;
/** How much of an answer waits in this process for a slow reader, beside one batch of the source. */
const BUFFER_BYTES = 64 * 1024;

export type StreamedAnswer = {
  status: number;
  headers: Record<string, string | number>;
  content: AsyncIterable<string | Uint8Array>;
  /** Said whenever nothing was written for `every_ms`, so that silence means a dead connection. */
  heartbeat?: { text: string; every_ms: number };
  /** True for what may be silent for hours: only the system's keep-alive then finds out that the client is gone. */
  quiet?: boolean;
};

/**
 * Answers with a stream, the headers at once. It reads from `content` only as fast as the client does, so a slow client costs BUFFER_BYTES.
 * Resolves when all is sent or the client is gone; a source that fails midway cuts the connection, so that nobody takes a part for the whole.
 */
export async function sendStream(
  reply: FastifyReply,
  answer: StreamedAnswer,
  options: { signal: AbortSignal; log: Log },
): Promise<void> {
  const { raw } = reply;
  reply.hijack();
  const headers = Object.fromEntries(
    Object.entries({ ...reply.getHeaders(), ...answer.headers }).filter(([, value]) => value !== undefined),
  );
  raw.writeHead(answer.status, headers as Record<string, string | number>);
  if (reply.request.method === "HEAD") {
    raw.end();
    return;
  }
  raw.flushHeaders();
  raw.setTimeout(answer.quiet === true ? 0 : STALL_TIMEOUT_MS, () => raw.destroy());
  raw.socket?.setKeepAlive(true, 60_000);
  const { heartbeat } = answer;
  const beat =
    heartbeat === undefined
      ? null
      : setInterval(() => {
          if (!raw.writableNeedDrain && !raw.writableEnded) raw.write(heartbeat.text);
        }, heartbeat.every_ms);
  try {
    const length = answer.headers["content-length"];
    const content = bytes(answer.content);
    if (length === undefined) await pipeline(content, raw, { signal: options.signal });
    else await pipeline(content, exactly(Number(length)), raw, { signal: options.signal });
  } catch (error) {
    raw.destroy();
    if (!options.signal.aborted && !isGone(error))
      options.log("warn", "An answer was cut short.", {
        route: reply.request.routeOptions.url ?? null,
        error: String(error),
      });
  } finally {
    if (beat !== null) clearInterval(beat);
  }
}

function bytes(content: AsyncIterable<string | Uint8Array>): Readable {
  if (content instanceof Readable) return content;
  return Readable.from(toBuffers(content), { objectMode: false, highWaterMark: BUFFER_BYTES });
}

/** Fails when more or fewer bytes pass than the headers promise: the next answer on the connection would be taken for the rest. */
function exactly(length: number): Transform {
  let left = length;
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      left -= chunk.length;
      if (left < 0) done(new Error(`The content is longer than the ${length} bytes that were announced.`));
      else done(null, chunk);
    },
    flush(done) {
      done(left === 0 ? null : new Error(`The content ended ${left} of ${length} bytes early.`));
    },
  });
}

async function* toBuffers(content: AsyncIterable<string | Uint8Array>): AsyncGenerator<Buffer> {
  for await (const chunk of content)
    if (chunk.length > 0)
      yield typeof chunk === "string"
        ? Buffer.from(chunk)
        : Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
}

function isGone(error: unknown): boolean {
  const code = error instanceof Error && "code" in error ? error.code : null;
  return ["ERR_STREAM_PREMATURE_CLOSE", "ECONNRESET", "EPIPE", "ABORT_ERR"].includes(String(code));
}
