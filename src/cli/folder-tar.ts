import { lstat, open, readdir, readlink } from "node:fs/promises";
import path from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { type Pack, pack } from "tar-stream";
import { AppError } from "../contract/errors.ts";
import type { Copied } from "./copied.ts";

const READ_BYTES = 256 * 1024;

/** `skipped` is a name at the top that is left out. */
type Options = { skipped: string | null; copied: Copied };

/**
 * A folder of this machine as a tar of what is in it, below `prefix` ("" for none). Symlinks go as they are; what is neither file, folder nor
 * symlink is left out and noted. Fails with `usage` when a file changes its size while it is sent.
 */
export function tarOfFolder(folder: string, prefix: string, options: Options): AsyncIterable<Buffer> {
  return streamed((tar) => addFolder(folder, prefix, { tar, ...options }));
}

/** A file of this machine as a tar, under a name. */
export function tarOfFile(file: string, name: string, copied: Copied): AsyncIterable<Buffer> {
  return streamed((tar) => addFile(file, name, { tar, copied }));
}

function streamed(fill: (tar: Pack) => Promise<void>): AsyncIterable<Buffer> {
  const tar = pack();
  const out = Readable.from(tar, { objectMode: false });
  out.once("close", () => tar.destroy());
  fill(tar).then(
    () => tar.finalize(),
    (error: unknown) => out.destroy(error instanceof Error ? error : new Error(String(error))),
  );
  return out;
}

async function addFolder(
  folder: string,
  prefix: string,
  { tar, skipped, copied }: Options & { tar: Pack },
): Promise<void> {
  const open_folders = [{ at: folder, name: prefix }];
  if (prefix !== "") await addEntry(tar, { name: prefix, type: "directory" });
  for (let next = open_folders.pop(); next !== undefined; next = open_folders.pop()) {
    for (const each of (await readdir(next.at)).sort()) {
      const [at, name] = [path.join(next.at, each), next.name === "" ? each : `${next.name}/${each}`];
      const stat = await lstat(at);
      const head = { name, mode: stat.mode & 0o777, mtime: stat.mtime };
      if (name === skipped) copied.leaveOut(name, "a name that is reserved there");
      else if (stat.isFile()) await addFile(at, name, { tar, copied });
      else if (stat.isDirectory()) {
        await addEntry(tar, { ...head, type: "directory" });
        open_folders.push({ at, name });
      } else if (stat.isSymbolicLink()) {
        await addEntry(tar, { ...head, type: "symlink", linkname: await readlink(at) });
        copied.files += 1;
      } else copied.leaveOut(name, "neither a file nor a link");
    }
  }
}

async function addFile(
  at: string,
  name: string,
  { tar, copied }: { tar: Pack; copied: Copied },
): Promise<void> {
  await using file = await open(at);
  const stat = await file.stat();
  const head = { name, mode: stat.mode & 0o777, mtime: stat.mtime, type: "file", size: stat.size } as const;
  try {
    await pipeline(
      file.createReadStream({ highWaterMark: READ_BYTES, autoClose: false }),
      async function* (chunks: AsyncIterable<Buffer>) {
        for await (const chunk of chunks) {
          copied.move(chunk.length);
          yield chunk;
        }
      },
      tar.entry(head),
    );
  } catch (cause) {
    if (tar.destroyed) throw cause;
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new AppError({ code: "usage", message: `${at} could not be sent: ${why}.`, cause });
  }
  copied.files += 1;
}

function addEntry(tar: Pack, header: Parameters<Pack["entry"]>[0]): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  tar.entry(header, (error) => (error ? reject(error) : resolve()));
  return promise;
}
