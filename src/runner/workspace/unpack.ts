import { lstat, mkdir, realpath, rm, symlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { type Extract, extract, type Header } from "tar-stream";
import { AppError } from "../../contract/errors.ts";
import type { FilePlace } from "../handlers.ts";
import { changeFiles } from "./change.ts";
import { explained, isBelow, RESERVED, type Roots, realPlace, type Spot } from "./inside.ts";
import { type DiskRoom, ENDLESS_ROOM, receiveAt } from "./receive-file.ts";

/** A time that no file system and no system call takes for an error. */
const TIME_MAX_MS = 2 ** 43;

/**
 * Unpacks a tar into the workspace, over what is there: files, folders and symlinks with their modes, files with their times; other kinds
 * are refused. Nothing is written outside or through a symlink, and each file is there whole or not at all. Returns how many files and
 * symlinks there were. Throws AppError `invalid_upload`, and what `tar` fails with.
 */
export async function unpackInto(
  workspace: string,
  tar: Readable,
  signal: AbortSignal,
): Promise<{ files: number }> {
  const root = await realpath(workspace);
  return unpackAll(new Unpacking({ base: root, root, reserved: [], room: ENDLESS_ROOM }), tar, signal);
}

/** The same for what people send, into a folder, which is made when missing. Nothing reserved is touched: AppError `invalid_path`. */
export async function unpackAt(
  roots: Roots,
  place: FilePlace,
  tar: Readable,
  options: { room: DiskRoom; signal: AbortSignal },
): Promise<{ files: number }> {
  if (place.path !== "") await changeFiles(roots, { change: "make_folder", ...place });
  const root = await realPlace(roots, place);
  const [base, workspace] = await Promise.all([realpath(roots.home), realpath(roots.workspace)]);
  const reserved = [join(base, RESERVED), join(workspace, RESERVED)];
  try {
    return await unpackAll(new Unpacking({ base, root, reserved, room: options.room }), tar, options.signal);
  } catch (error) {
    throw explained(error, place);
  }
}

async function unpackAll(
  unpacking: Unpacking,
  tar: Readable,
  signal: AbortSignal,
): Promise<{ files: number }> {
  const extraction = extract();
  const feeding = pipeline(tar, extraction, { signal });
  // It is awaited below; until then its rejection must not count as unhandled.
  feeding.catch(() => undefined);
  for await (const entry of extraction) await unpacking.add(entry);
  await feeding;
  return { files: unpacking.files };
}

type Entry = Extract extends AsyncIterable<infer Source> ? Source : never;

class Unpacking {
  readonly #base: string;
  readonly #root: string;
  readonly #reserved: readonly string[];
  readonly #room: DiskRoom;
  files = 0;
  /** The folder that was last found to be real all the way: entries of one folder follow each other. */
  #sound: string;

  constructor(options: { base: string; root: string; reserved: readonly string[]; room: DiskRoom }) {
    this.#base = options.base;
    this.#root = options.root;
    this.#reserved = options.reserved;
    this.#room = options.room;
    this.#sound = options.root;
  }

  async add(entry: Entry): Promise<void> {
    const { name, type, linkname } = entry.header;
    const path = this.#pathOf(name);
    if (type === "directory") {
      await this.#folder(path);
      entry.resume();
      return;
    }
    const folder = dirname(path);
    await this.#folder(folder);
    await this.#refuseFolder(path);
    this.files += 1;
    if (type === "file") await this.#file({ base: this.#base, folder, path }, entry);
    else if (type === "symlink" && linkname) {
      await rm(path, { force: true });
      await symlink(linkname, path);
      entry.resume();
    } else throw refusal(name, `is a ${type ?? "thing"} that cannot be uploaded`);
  }

  async #file(spot: Spot, entry: Entry): Promise<void> {
    const { header } = entry;
    const place = { root: "workspace", path: header.name } as const;
    await receiveAt(spot, place, entry as AsyncIterable<Buffer>, {
      room: this.#room,
      mode: (header.mode ?? 0o644) & 0o777,
      modified_at: timeOf(header),
    });
  }

  #pathOf(name: string): string {
    const parts = name.split("/").filter((part) => part !== "" && part !== ".");
    if (name.startsWith("/") || parts.includes("..") || name.includes("\0"))
      throw refusal(name, "leaves the workspace");
    const path = join(this.#root, ...parts);
    if (!this.#reserved.some((folder) => isBelow(folder, path))) return path;
    throw new AppError({
      code: "invalid_path",
      message: `The entry ${JSON.stringify(name.slice(0, 200))} lies in ${RESERVED}, which is reserved.`,
    });
  }

  /** Makes a folder and those above it; refuses when one of them is something else, a symlink too. */
  async #folder(path: string): Promise<void> {
    if (path === this.#root || path === this.#sound) return;
    await this.#folder(dirname(path));
    const stat = await lstat(path).catch(() => null);
    if (stat === null) await mkdir(path);
    else if (!stat.isDirectory()) throw refusal(path.slice(this.#root.length + 1), "is not a folder");
    this.#sound = path;
  }

  async #refuseFolder(path: string): Promise<void> {
    const stat = await lstat(path).catch(() => null);
    if (stat?.isDirectory()) throw refusal(path.slice(this.#root.length + 1), "is a folder already");
  }
}

function timeOf({ mtime }: Header): Date | null {
  const ms = mtime?.getTime() ?? Number.NaN;
  return Math.abs(ms) <= TIME_MAX_MS ? new Date(ms) : null;
}

function refusal(name: string, problem: string): AppError {
  const told = JSON.stringify(name.slice(0, 200));
  return new AppError({ code: "invalid_upload", message: `The upload's entry ${told} ${problem}.` });
}
