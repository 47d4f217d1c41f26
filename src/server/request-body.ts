import type { IncomingMessage } from "node:http";
import { PassThrough, type Readable, Transform } from "node:stream";
import { AppError } from "../contract/errors.ts";

/** What is read and thrown away of an upload that was refused, so that the client comes to read why, before the connection is cut. */
const DRAIN_MAX_BYTES = 256 * 1024 * 1024;
const BUFFER_BYTES = 256 * 1024;

/**
 * The body of a request for somebody who may destroy it before its end: the connection stays, so that the client comes to read why. It fails,
 * and never just ends, when the client goes away in the middle. Disposal lets go of what was not read.
 */
export function requestBody(raw: IncomingMessage): { content: Readable } & AsyncDisposable {
  const content = new PassThrough({ highWaterMark: BUFFER_BYTES });
  failWith(raw, content);
  raw.pipe(content);
  return {
    content,
    async [Symbol.asyncDispose]() {
      content.destroy();
      await drain(raw);
    },
  };
}

/** A file of a multipart body: it fails, and never just ends, when it is larger than the parser takes or the client goes away. */
export function wholePart(file: Readable & { truncated?: boolean }, raw: IncomingMessage): Readable {
  const content = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      done(null, chunk);
    },
    flush(done) {
      if (file.truncated !== true) done();
      else done(new AppError({ code: "body_too_large", message: "A part of the upload is too large." }));
    },
  });
  failWith(raw, content);
  file.once("error", (error) => content.destroy(error));
  return file.pipe(content);
}

/** Breaks what is read of a request when its client goes away in the middle. */
function failWith(raw: IncomingMessage, content: Readable): void {
  // It may break before it is read, and whoever reads it then hears of it.
  content.on("error", () => undefined);
  const cut = (): void => {
    if (raw.complete) return;
    content.destroy(
      new AppError({ code: "invalid_upload", message: "The body ended before it was complete." }),
    );
  };
  // These stay: a client may also go away when the content has been given up.
  raw.on("error", cut);
  raw.once("close", cut);
  if (raw.destroyed) cut();
}

/**
 * Reads on after an upload that nobody wants any more, and resolves when that is over. An answer that is sent before holds the client up: the
 * platform stops reading a request that has been answered.
 */
export function drain(raw: IncomingMessage): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  if (raw.readableEnded || raw.destroyed) return Promise.resolve();
  raw.once("end", resolve);
  raw.once("close", resolve);
  raw.unpipe();
  let length = 0;
  raw.on("data", (chunk: Buffer) => {
    length += chunk.length;
    if (length > DRAIN_MAX_BYTES) raw.destroy();
  });
  raw.resume();
  return promise;
}
