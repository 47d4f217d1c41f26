import { once } from "node:events";
import { join } from "node:path";
import { PassThrough, type Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { pack } from "tar-stream";
import { AppError } from "../contract/errors.ts";
import type { ArchiveFormat } from "../core/artifacts.ts";
import { NewFile, openWorkbench } from "./durable-file.ts";
import { PathTree } from "./path-tree.ts";
import { asBuffer } from "./read-chunks.ts";
import {
  judgePath,
  judgeSymlink,
  NAME_MAX_BYTES,
  PATH_DEPTH_MAX,
  PATH_MAX_BYTES,
  type PathVerdict,
} from "./safe-path.ts";
import { readTar, type TarEntry } from "./tar-reading.ts";
import { addToTar } from "./tar-sink.ts";
import { packFile, packFolder, packSymlink } from "./zip.ts";
import { ZipWriter } from "./zip-writer.ts";

/** Files, folders and symlinks in one archive; those beyond are left out. */
const ENTRIES_MAX = 250_000;
/** A tar of more entries than this is a runner that floods. */
const TAR_ENTRIES_MAX = 4_000_000;
const BUFFER_BYTES = 256 * 1024;

type Options = {
  /** For temporary files. */
  unfinished: string;
  signal: AbortSignal;
};

/** As Artifacts.safeArchive says. Destroying it destroys `tar`. */
export function safeArchive(tar: Readable, format: ArchiveFormat, options: Options): Readable {
  const gone = new AbortController();
  const out = new PassThrough({
    highWaterMark: BUFFER_BYTES,
    // It closes when nothing of it is left, temporary files included.
    destroy(error, done) {
      gone.abort();
      tar.destroy();
      made.then(
        () => done(error),
        () => done(error),
      );
    },
  });
  // It may break before it is read, and whoever reads it then hears of it.
  tar.on("error", () => undefined);
  const sink = async (chunk: Buffer): Promise<void> => {
    gone.signal.throwIfAborted();
    if (!out.write(chunk)) await once(out, "drain", { signal: gone.signal });
  };
  const made = format === "zip" ? makeZip(tar, sink, options) : makeTar(tar, sink, options);
  made.then(
    () => out.end(),
    (error: unknown) => out.destroy(error instanceof Error ? error : new Error(String(error))),
  );
  return out;
}

type Sink = (chunk: Buffer) => Promise<void>;

async function makeZip(tar: Readable, sink: Sink, { unfinished, signal }: Options): Promise<void> {
  await using bench = await openWorkbench(unfinished);
  await using directory = await NewFile.create(join(bench.path, "directory"));
  const zip = new ZipWriter(sink, directory);
  const packing = { zip, list: null, patch: null, signal };
  const tree = new PathTree(ENTRIES_MAX);
  for await (const entry of entriesOf(tar, signal)) {
    if (entry.kind === "other") continue;
    const path = placeOf(entry, judgePath(entry.path), tree);
    if (path === null) continue;
    if (entry.kind === "folder") await packFolder(path, entry, packing);
    else if (entry.kind === "file") await packFile(path, entry, packing);
    else if (judgeSymlink(path, entry.target) === null) await packSymlink(path, entry, packing);
  }
  await zip.finish();
}

async function makeTar(source: Readable, sink: Sink, { signal }: Options): Promise<void> {
  const tar = pack();
  const writing = pipeline(
    tar,
    async (chunks: AsyncIterable<unknown>) => {
      for await (const chunk of chunks) await sink(asBuffer(chunk));
    },
    { signal },
  );
  // It is awaited below; until then its rejection must not count as unhandled.
  writing.catch(() => undefined);
  const tree = new PathTree(ENTRIES_MAX);
  try {
    for await (const entry of entriesOf(source, signal)) {
      const path = placeOf(entry, judgeTarPath(entry.path), tree);
      if (path === null) continue;
      await addToTar(tar, { ...entry, path: entry.kind === "folder" ? `${path}/` : path });
    }
    tar.finalize();
    await writing;
  } catch (error) {
    tar.destroy();
    await writing.catch(() => undefined);
    throw error;
  }
}

async function* entriesOf(tar: Readable, signal: AbortSignal): AsyncGenerator<TarEntry> {
  let entries = 0;
  for await (const entry of readTar(tar, damaged, signal)) {
    entries += 1;
    if (entries > TAR_ENTRIES_MAX) throw damaged(new Error(`It has more than ${TAR_ENTRIES_MAX} entries.`));
    yield entry;
  }
}

/** The path at which an entry comes into the archive, or null when it is left out. */
function placeOf(entry: TarEntry, verdict: PathVerdict, tree: PathTree): string | null {
  if ("problem" in verdict || (verdict.folder && entry.kind !== "folder")) return null;
  const kind = entry.kind === "other" ? "file" : entry.kind;
  return tree.place(verdict.path, kind) === null ? verdict.path : null;
}

/** A tar keeps every name that Linux does; only those that lead out are refused. */
function judgeTarPath(raw: string): PathVerdict {
  const folder = raw.endsWith("/");
  const path = raw.replace(/^(\.\/)+/, "").replace(/\/$/, "");
  const names = path.split("/");
  const sound =
    !path.includes("\0") &&
    path.isWellFormed() &&
    Buffer.byteLength(path) <= PATH_MAX_BYTES &&
    names.length <= PATH_DEPTH_MAX &&
    names.every((name) => !["", ".", ".."].includes(name) && Buffer.byteLength(name) <= NAME_MAX_BYTES);
  return sound ? { path, folder } : { problem: "cannot stand in a tar" };
}

function damaged(cause: Error): AppError {
  return new AppError({
    code: "protocol_violated",
    message: `The sandbox sent a damaged tar: ${cause.message}`,
    cause,
  });
}
