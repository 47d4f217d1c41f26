import assert from "node:assert/strict";
import { Readable } from "node:stream";
import { pack } from "tar-stream";
import { AppError, type ErrorCode } from "../contract/errors.ts";
import type { UploadPart } from "../core/artifacts.ts";

export type TestTarEntry = {
  name: string;
  content?: string | Buffer;
  mode?: number;
  type?: "file" | "directory" | "symlink" | "link" | "fifo" | "character-device";
  target?: string;
};

export const never = new AbortController().signal;

/** A tar as a runner would send it. */
export function tarOf(entries: TestTarEntry[]): Readable {
  const tar = pack();
  for (const { name, content, mode, type, target } of entries) {
    const header = {
      name,
      mode: mode ?? 0o644,
      type: type ?? "file",
      mtime: new Date("2026-05-04T03:02:02Z"),
    };
    tar.entry({ ...header, ...(target === undefined ? {} : { linkname: target }) }, content ?? "");
  }
  tar.finalize();
  return Readable.from(tar, { objectMode: false });
}

export async function* partsOf(files: Record<string, string>): AsyncGenerator<UploadPart> {
  for (const [path, content] of Object.entries(files))
    yield { kind: "file", path, content: Readable.from([Buffer.from(content)]) };
}

export function rejectsWith(code: ErrorCode, pattern: RegExp = /./) {
  return (error: unknown): boolean => {
    assert.ok(error instanceof AppError, `An AppError was expected, not ${String(error)}`);
    assert.equal(error.code, code, error.message);
    assert.match(error.message, pattern);
    return true;
  };
}
