import { pipeline } from "node:stream/promises";
import type { Pack } from "tar-stream";

/** One entry of a tar that is written; `other` becomes an empty FIFO. */
export type NewTarEntry = { path: string; mode: number; modified_at: Date } & (
  | { kind: "file"; size_bytes: number; content: AsyncIterable<Buffer> }
  | { kind: "folder" }
  | { kind: "symlink"; target: string }
  | { kind: "other" }
);

/** Resolves when the entry is written, which it is as fast as the tar is read. */
export async function addToTar(tar: Pack, entry: NewTarEntry): Promise<void> {
  const header = { name: entry.path, mode: entry.mode, mtime: entry.modified_at };
  if (entry.kind === "file") {
    await pipeline(entry.content, tar.entry({ ...header, type: "file", size: entry.size_bytes }));
    return;
  }
  const { promise: added, resolve, reject } = Promise.withResolvers<void>();
  const done = (error?: Error | null) => (error ? reject(error) : resolve());
  if (entry.kind === "folder") tar.entry({ ...header, type: "directory" }, done);
  else if (entry.kind === "other") tar.entry({ ...header, type: "fifo" }, done);
  else tar.entry({ ...header, type: "symlink", linkname: entry.target }, done);
  await added;
}
