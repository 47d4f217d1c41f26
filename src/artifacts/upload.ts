import { join } from "node:path";
import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { type Pack, pack } from "tar-stream";
import { UPLOAD_ENTRIES_MAX } from "../contract/api.ts";
import { AppError } from "../contract/errors.ts";
import { INPUT_FILES_MAX, UPLOAD_MAX_BYTES } from "../contract/upload-bounds.ts";
import type { UploadPart } from "../core/artifacts.ts";
import { NewFile } from "./durable-file.ts";
import { PathTree } from "./path-tree.ts";
import { asBuffer, readChunks } from "./read-chunks.ts";
import { addToTar } from "./tar-sink.ts";
import { openArchive } from "./upload-archive.ts";
import { invalid, placeUpload, type UploadEntry } from "./upload-entry.ts";

/** A part up to this size waits in memory, a larger one in a file, until its size is known, which a tar's header needs. */
const PART_IN_MEMORY_BYTES = 1024 * 1024;
/** Entries, and folders that only their paths imply. */
const NODES_MAX = 6 * UPLOAD_ENTRIES_MAX;

export type UploadTotals = { files: number; size_bytes: number };
/**
 * Validates the parts of an upload and writes them as one tar. Throws AppError `invalid_upload` naming the entry, or `body_too_large`.
 * `folder` takes temporary files.
 */
export async function packUpload(
  parts: AsyncIterable<UploadPart>,
  tar_path: string,
  folder: string,
  signal: AbortSignal,
): Promise<UploadTotals> {
  await using file = await NewFile.create(tar_path);
  const tar = pack();
  const writing = pipeline(
    tar,
    async (chunks: AsyncIterable<unknown>) => {
      for await (const chunk of chunks) await file.write(asBuffer(chunk));
    },
    { signal },
  );
  // It is awaited below; until then its rejection must not count as unhandled.
  writing.catch(() => undefined);
  try {
    const totals = await takeParts(parts, tar, folder, signal);
    tar.finalize();
    await writing;
    await file.finish();
    return totals;
  } catch (error) {
    tar.destroy();
    await writing.catch(() => undefined);
    signal.throwIfAborted();
    throw error;
  }
}

async function takeParts(
  parts: AsyncIterable<UploadPart>,
  tar: Pack,
  folder: string,
  signal: AbortSignal,
): Promise<UploadTotals> {
  const tree = new PathTree(NODES_MAX);
  const totals: UploadTotals = { files: 0, size_bytes: 0 };
  let received_bytes = 0;
  let parts_seen = 0;
  let archive_seen = false;
  const take = async (entry: UploadEntry) => {
    await addToTar(tar, entry);
    if (entry.kind !== "folder") totals.files += 1;
    if (entry.kind === "file") totals.size_bytes += entry.size_bytes;
  };
  for await (const part of parts) {
    signal.throwIfAborted();
    parts_seen += 1;
    if (parts_seen > INPUT_FILES_MAX + 1)
      throw invalid(
        `The upload has more than ${INPUT_FILES_MAX} files. Send them as one ZIP (part \`archive\`).`,
      );
    await using spool = await spoolPart(
      part.content,
      { path: join(folder, `part-${parts_seen}`), max_bytes: UPLOAD_MAX_BYTES - received_bytes },
      signal,
    );
    received_bytes += spool.size_bytes;
    if (part.kind === "archive") {
      if (archive_seen) throw invalid("The upload has more than one part `archive`.");
      archive_seen = true;
      await using archive = await openArchive(await spool.toFile(), tree, signal);
      for await (const entry of archive.entries()) await take(entry);
    } else {
      const path = placeUpload(part.path, "file", tree);
      const { size_bytes } = spool;
      const entry = { path, mode: 0o644, modified_at: new Date(), kind: "file", size_bytes } as const;
      await take({ ...entry, content: spool.read() });
    }
  }
  return totals;
}

type Spooled = {
  size_bytes: number;
  read(): AsyncIterable<Buffer>;
  toFile(): Promise<string>;
} & AsyncDisposable;

async function spoolPart(
  content: Readable,
  options: { path: string; max_bytes: number },
  signal: AbortSignal,
): Promise<Spooled> {
  const { path, max_bytes } = options;
  const head: Buffer[] = [];
  let size_bytes = 0;
  let file: NewFile | null = null;
  const toFile = async (): Promise<NewFile> => {
    const made = await NewFile.create(path);
    for (const chunk of head.splice(0)) await made.write(chunk);
    return made;
  };
  try {
    for await (const piece of content) {
      signal.throwIfAborted();
      const chunk = asBuffer(piece);
      size_bytes += chunk.length;
      if (size_bytes > max_bytes)
        throw new AppError({
          code: "body_too_large",
          message: `The upload is larger than ${UPLOAD_MAX_BYTES} bytes.`,
          hint: "Send less, or let the job fetch what it needs.",
        });
      if (file === null && size_bytes > PART_IN_MEMORY_BYTES) file = await toFile();
      if (file === null) head.push(chunk);
      else await file.write(chunk);
    }
    await file?.flush();
  } catch (error) {
    await file?.[Symbol.asyncDispose]();
    throw error;
  }
  return {
    size_bytes,
    read: () => (file === null ? iterate(head) : readChunks(path)),
    toFile: async () => {
      file ??= await toFile();
      await file.flush();
      return path;
    },
    [Symbol.asyncDispose]: async () => {
      await file?.[Symbol.asyncDispose]();
    },
  };
}

async function* iterate(chunks: Buffer[]): AsyncGenerator<Buffer> {
  yield* chunks;
}
