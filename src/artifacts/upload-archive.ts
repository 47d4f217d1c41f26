import { stat } from "node:fs/promises";
import { crc32 } from "node:zlib";
import { type Entry, getFileNameLowLevel, openPromise, type ZipFile } from "yauzl";
import { UPLOAD_ENTRIES_MAX, UPLOAD_RATIO_MAX, UPLOAD_UNPACKED_MAX_BYTES } from "../contract/api.ts";
import { AppError } from "../contract/errors.ts";
import type { PathTree } from "./path-tree.ts";
import { asBuffer } from "./read-chunks.ts";
import { judgeSymlink, PATH_MAX_BYTES, printable } from "./safe-path.ts";
import { invalid, placeUpload, type UploadEntry } from "./upload-entry.ts";

/** Up to this size a high ratio is what ordinary files reach. */
const RATIO_FREE_BYTES = 64 * 1024 * 1024;
const TYPE_MASK = 0o170000;
const SYMLINK_TYPE = 0o120000;
const FOLDER_TYPE = 0o040000;
const FILE_TYPE = 0o100000;

type Judged = { entry: Entry; path: string; kind: "file" | "folder" | "symlink"; mode: number };

export type UploadArchive = { entries(): AsyncIterable<UploadEntry> } & AsyncDisposable;

/**
 * Opens an untrusted ZIP and judges all of it by its list of entries (names, kinds, sizes, ratio, number) before anything is unpacked.
 * `entries` then unpacks; a content that is not as large as declared, or damaged, throws. Throws AppError `invalid_upload`.
 */
export async function openArchive(path: string, tree: PathTree, signal: AbortSignal): Promise<UploadArchive> {
  const zip = await openZip(path);
  try {
    const judged = await judgeAll(zip, (await stat(path)).size, tree, signal);
    return { entries: () => unpack(zip, judged, signal), [Symbol.asyncDispose]: async () => zip.close() };
  } catch (error) {
    zip.close();
    throw asUploadError(error);
  }
}

async function openZip(path: string): Promise<ZipFile> {
  try {
    return await openPromise(path, { autoClose: false, decodeStrings: false });
  } catch (error) {
    throw asUploadError(error);
  }
}

async function judgeAll(
  zip: ZipFile,
  archive_bytes: number,
  tree: PathTree,
  signal: AbortSignal,
): Promise<Judged[]> {
  if (zip.entryCount > UPLOAD_ENTRIES_MAX)
    throw invalid(`The archive has ${zip.entryCount} entries; at most ${UPLOAD_ENTRIES_MAX} are taken.`);
  const judged: Judged[] = [];
  let unpacked_bytes = 0;
  for await (const entry of zip.eachEntry()) {
    signal.throwIfAborted();
    const one = judge(entry, tree);
    unpacked_bytes += entry.uncompressedSize;
    if (unpacked_bytes > UPLOAD_UNPACKED_MAX_BYTES)
      throw invalid(`The archive unpacks to more than ${UPLOAD_UNPACKED_MAX_BYTES} bytes.`);
    judged.push(one);
  }
  if (unpacked_bytes > RATIO_FREE_BYTES && unpacked_bytes > UPLOAD_RATIO_MAX * archive_bytes)
    throw invalid(`The archive unpacks to more than ${UPLOAD_RATIO_MAX} times its size.`);
  return judged;
}

function judge(entry: Entry, tree: PathTree): Judged {
  const name = getFileNameLowLevel(entry.generalPurposeBitFlag, entry.fileNameRaw, entry.extraFields, true);
  const shown = printable(name);
  const unix = entry.externalFileAttributes >>> 16;
  const type = unix & TYPE_MASK;
  const kind =
    type === SYMLINK_TYPE ? "symlink" : type === FOLDER_TYPE || name.endsWith("/") ? "folder" : "file";
  if (type !== 0 && type !== SYMLINK_TYPE && type !== FOLDER_TYPE && type !== FILE_TYPE)
    throw invalid(`The entry "${shown}" is neither a file nor a folder nor a symlink.`);
  if (entry.isEncrypted()) throw invalid(`The entry "${shown}" is encrypted.`);
  if (!entry.canDecodeFileData())
    throw invalid(`The entry "${shown}" is compressed by a method other than deflate.`);
  if (kind === "folder" && entry.uncompressedSize > 0)
    throw invalid(`The entry "${shown}" is a folder with content.`);
  if (kind === "symlink" && entry.uncompressedSize > PATH_MAX_BYTES)
    throw invalid(`The symlink "${shown}" has a target longer than ${PATH_MAX_BYTES} bytes.`);
  if (
    entry.uncompressedSize > RATIO_FREE_BYTES &&
    entry.uncompressedSize > UPLOAD_RATIO_MAX * entry.compressedSize
  )
    throw invalid(`The entry "${shown}" unpacks to more than ${UPLOAD_RATIO_MAX} times its packed size.`);
  const path = placeUpload(name, kind, tree);
  const executable = kind === "folder" || (unix & 0o111) !== 0;
  return { entry, path, kind, mode: executable ? 0o755 : 0o644 };
}

async function* unpack(zip: ZipFile, judged: Judged[], signal: AbortSignal): AsyncGenerator<UploadEntry> {
  for (const { entry, path, kind, mode } of judged) {
    signal.throwIfAborted();
    const base = { path, mode, modified_at: modifiedAt(entry) };
    if (kind === "folder") yield { ...base, kind };
    else if (kind === "symlink") yield { ...base, kind, target: await targetOf(zip, entry, path) };
    else yield { ...base, kind, size_bytes: entry.uncompressedSize, content: contentOf(zip, entry, path) };
  }
}

async function targetOf(zip: ZipFile, entry: Entry, path: string): Promise<string> {
  const target = Buffer.concat(await Array.fromAsync(contentOf(zip, entry, path))).toString("utf8");
  const problem = judgeSymlink(path, target);
  if (problem !== null) throw invalid(`The symlink "${printable(path)}" ${problem}.`);
  return target;
}

async function* contentOf(zip: ZipFile, entry: Entry, path: string): AsyncGenerator<Buffer> {
  try {
    let sum = 0;
    for await (const piece of await zip.openReadStreamPromise(entry)) {
      const chunk = asBuffer(piece);
      sum = crc32(chunk, sum);
      yield chunk;
    }
    if (sum !== entry.crc32) throw new Error("Its checksum does not match.");
  } catch (error) {
    throw asUploadError(error, path);
  }
}

function modifiedAt(entry: Entry): Date {
  const time = entry.getLastModDate();
  return Number.isFinite(time.getTime()) && time.getTime() > 0 ? time : new Date(0);
}

function asUploadError(error: unknown, path?: string): Error {
  if (error instanceof AppError || !(error instanceof Error) || error.name === "AbortError")
    return toError(error);
  if ("syscall" in error) return error;
  const where = path === undefined ? "The archive" : `The entry "${printable(path)}"`;
  return invalid(`${where} is damaged or no ZIP: ${printable(error.message)}`, error);
}

function toError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
