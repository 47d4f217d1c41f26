import { randomBytes } from "node:crypto";
import { constants, type Stats } from "node:fs";
import { type FileHandle, link, lstat, open, rename, rm } from "node:fs/promises";
import { basename } from "node:path";
import { AppError } from "../../contract/errors.ts";
import type { FilePlace } from "../handlers.ts";
import {
  diskFull,
  explained,
  isCode,
  openSpot,
  type Roots,
  type Spot,
  spotToChange,
  told,
} from "./inside.ts";
import { inFolder } from "./unswapped.ts";

const NEW_FILE_MODE = 0o644;
/** Nobody else's until all of it has come. */
const UNFINISHED_MODE = 0o600;
const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW } = constants;
/** Pieces of a network are small; what is written to the disk is at least this large, but for the last of a file. */
const PIECE_BYTES = 512 * 1024;

/** What is left of the job's disk limit. */
export type DiskRoom = {
  /** Takes so many bytes of it; false, and none taken, when there are not so many. */
  take(bytes: number, by: object): Promise<boolean>;
  /** Gives back what was taken by somebody and not needed after all. */
  give(by: object): void;
};
/** For a sandbox that has no limit of its own. */
export const ENDLESS_ROOM: DiskRoom = { take: async () => true, give: () => undefined };
/** The last block of a file is a whole one, and its name takes room too. */
const FILE_BYTES = 4096;
export type Received = { size_bytes: number; created: boolean };

/**
 * Makes or replaces a file, whole: it lies beside under another name until all of it has come, and what goes wrong before leaves nothing of
 * it behind. What it replaces gives it its mode; with `only_new` there must be nothing (AppError `precondition_failed`). Rejects with what
 * `content` failed with, and AppError as spotToChange says, `disk_full`, and `conflict` for what is no file or read-only.
 */
export async function receiveFile(
  roots: Roots,
  place: FilePlace,
  content: AsyncIterable<Buffer>,
  options: { only_new: boolean; room: DiskRoom },
): Promise<Received> {
  const spot = await spotToChange(roots, place, { make_folders: true });
  const before = await lstat(spot.path).catch(() => null);
  if (before !== null && options.only_new) throw thereAlready(place);
  if (before !== null) refuseUnlessReplaceable(place, before);
  try {
    const size_bytes = await receiveAt(spot, place, content, {
      room: options.room,
      mode: before === null ? NEW_FILE_MODE : before.mode & 0o777,
      modified_at: null,
      put: options.only_new ? putNew : rename,
    });
    return { size_bytes, created: before === null };
  } catch (error) {
    if (isCode(error, "EEXIST")) throw thereAlready(place, error);
    if (isCode(error, "EISDIR")) throw noFile(place, error);
    throw explained(error, place);
  }
}

/** Writes a file beside its place and puts it there; what fails leaves nothing behind. Rejects with errors of the file system too. */
export async function receiveAt(
  spot: Spot,
  place: FilePlace,
  content: AsyncIterable<Buffer>,
  options: {
    room: DiskRoom;
    mode: number;
    modified_at: Date | null;
    /** How it comes into its place; it takes the place of what is there when left out. */
    put?: (from: Buffer, to: Buffer) => Promise<void>;
  },
): Promise<number> {
  await using folder = await openSpot(spot, place);
  const unfinished = inFolder(folder, `.${randomBytes(8).toString("hex")}.unfinished`);
  const take = async (bytes: number): Promise<void> => {
    if (!(await options.room.take(bytes, unfinished))) throw diskFull();
  };
  try {
    await take(FILE_BYTES);
    await using file = await open(unfinished, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, UNFINISHED_MODE);
    const size_bytes = await writeTo(file, content, take);
    await file.chmod(options.mode);
    if (options.modified_at !== null) await file.utimes(options.modified_at, options.modified_at);
    await (options.put ?? rename)(unfinished, inFolder(folder, basename(spot.path)));
    return size_bytes;
  } catch (error) {
    // The error that is under way says more than one of this.
    await rm(unfinished, { force: true }).catch(() => undefined);
    options.room.give(unfinished);
    throw error;
  }
}

/** One piece is written while the next one is gathered. */
async function writeTo(
  file: FileHandle,
  content: AsyncIterable<Buffer>,
  take: (bytes: number) => Promise<void>,
): Promise<number> {
  let size_bytes = 0;
  let pending: Buffer[] = [];
  let pending_bytes = 0;
  let writing = Promise.resolve();
  const flush = async (): Promise<void> => {
    const [chunks, bytes] = [pending, pending_bytes];
    pending = [];
    pending_bytes = 0;
    await writing;
    if (bytes === 0) return;
    writing = writeAll(file, chunks, bytes);
    // It is awaited by the next one; until then its rejection must not count as unhandled.
    writing.catch(() => undefined);
  };
  for await (const chunk of content) {
    await take(chunk.length);
    size_bytes += chunk.length;
    pending.push(chunk);
    pending_bytes += chunk.length;
    if (pending_bytes >= PIECE_BYTES) await flush();
  }
  await flush();
  await writing;
  return size_bytes;
}

/** The platform may take a part and say nothing, as on a disk that has just become full. */
async function writeAll(file: FileHandle, chunks: Buffer[], bytes: number): Promise<void> {
  const { bytesWritten } = await file.writev(chunks);
  if (bytesWritten < bytes) await file.writeFile(Buffer.concat(chunks).subarray(bytesWritten));
}

/** Fails, as no move does, where something is already. */
async function putNew(from: Buffer, to: Buffer): Promise<void> {
  await link(from, to);
  await rm(from);
}

function refuseUnlessReplaceable(place: FilePlace, stat: Stats): void {
  if (!stat.isFile()) throw noFile(place);
  if ((stat.mode & 0o200) === 0)
    throw new AppError({ code: "conflict", message: `${told(place)} is read-only.` });
}

function noFile(place: FilePlace, cause?: unknown): AppError {
  return new AppError({
    code: "conflict",
    message: `At ${told(place)} there is something that is no file; a symlink is not written through.`,
    cause,
  });
}

function thereAlready(place: FilePlace, cause?: unknown): AppError {
  return new AppError({
    code: "precondition_failed",
    message: `There is something at ${told(place)} already.`,
    cause,
  });
}
