import { randomUUID } from "node:crypto";
import { AppError } from "../contract/errors.ts";

/** A multipart/form-data body (RFC 7578) that is made while it is sent, so that it never stands in memory whole. */
export type MultipartBody = { content_type: string; stream(): ReadableStream<Uint8Array> };

export type Part = {
  name: string;
  /** The path of a file under the workspace; null for a plain field. */
  filename: string | null;
  content_type: string;
  /** Opened when its turn has come. */
  open(): AsyncIterable<Uint8Array>;
};

/** Puts parts together in their order. Throws `usage` for a file name that cannot be said in a header. */
export function multipartBody(parts: Part[]): MultipartBody {
  const boundary = `sealwork-${randomUUID()}`;
  const heads = parts.map((part) => Buffer.from(head(boundary, part)));
  async function* chunks(): AsyncGenerator<Uint8Array> {
    for (const [index, part] of parts.entries()) {
      yield heads[index] ?? Buffer.alloc(0);
      yield* part.open();
      yield Buffer.from("\r\n");
    }
    yield Buffer.from(`--${boundary}--\r\n`);
  }
  return {
    content_type: `multipart/form-data; boundary=${boundary}`,
    stream: () => ReadableStream.from<Uint8Array>(chunks()),
  };
}

function head(boundary: string, part: Part): string {
  const filename = part.filename === null ? "" : `; filename="${checked(part.filename)}"`;
  return (
    `--${boundary}\r\nContent-Disposition: form-data; name="${part.name}"${filename}\r\n` +
    `Content-Type: ${part.content_type}\r\n\r\n`
  );
}

function checked(filename: string): string {
  if (!/["\\\x00-\x1f\x7f]/.test(filename)) return filename;
  throw new AppError({
    code: "usage",
    message: `The name '${filename}' has quotes, backslashes or control characters, which cannot be sent.`,
    hint: "Give it another name in the workspace: --file PATH=NAME.",
  });
}
