import { randomBytes } from "node:crypto";
import { constants } from "node:fs";
import { lstat, mkdir, open, rename, rm, symlink } from "node:fs/promises";
import path from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { type Extract, extract, type Header } from "tar-stream";
import { AppError } from "../contract/errors.ts";
import type { Copied } from "./copied.ts";
import { staysInside } from "./folder-listing.ts";

/** Times beyond are no times of files. */
const TIME_MAX_MS = 2 ** 43;

type Entry = Extract extends AsyncIterable<infer Source> ? Source : never;

/**
 * Unpacks an untrusted tar below a folder that is there, over what is there. Nothing is written outside of it or through a symlink, those that
 * were there before included. Files appear whole, with their times and whether they can be executed; symlinks that stay inside are made at the
 * end; all else is left out and noted. Throws `conflict` for what cannot be put in its place, and the signal's reason.
 */
export async function extractTar(
  tar: AsyncIterable<Uint8Array>,
  folder: string,
  { copied, signal }: { copied: Copied; signal: AbortSignal },
): Promise<void> {
  const extracting = new Extracting(folder, copied);
  const extraction = extract();
  const feeding = pipeline(Readable.from(tar, { objectMode: false }), extraction, { signal });
  // It is awaited below; until then its rejection must not count as unhandled.
  feeding.catch(() => undefined);
  try {
    for await (const entry of extraction) await extracting.add(entry);
    await feeding;
  } catch (error) {
    // With its own reason, which a pipeline only names as the cause.
    signal.throwIfAborted();
    throw error;
  }
  await extracting.makeSymlinks();
}

class Extracting {
  readonly #folder: string;
  readonly #copied: Copied;
  readonly #symlinks: { name: string; target: string }[] = [];

  constructor(folder: string, copied: Copied) {
    this.#folder = folder;
    this.#copied = copied;
  }

  async add(entry: Entry): Promise<void> {
    const { header } = entry;
    const name = header.name.replace(/\/$/, "");
    const target = header.linkname ?? "";
    if (!isSafe(name)) this.#copied.leaveOut(name, "a name that leads out of the folder");
    else if (header.type === "directory") await this.#makeFolder(name);
    else if (header.type === "file") {
      await this.#makeFolder(path.posix.dirname(name));
      await this.#file(name, header, entry as AsyncIterable<Buffer>);
      return;
    } else if (header.type !== "symlink")
      this.#copied.leaveOut(name, "neither a file nor a link, or one that cannot be read");
    else if (staysInside(name, target)) this.#symlinks.push({ name, target });
    else this.#copied.leaveOut(name, `a link that leaves the folder (${target})`);
    entry.resume();
  }

  async makeSymlinks(): Promise<void> {
    for (const { name, target } of this.#symlinks) {
      await this.#makeFolder(path.posix.dirname(name));
      const at = path.join(this.#folder, name);
      const there = await lstat(at).catch(() => null);
      if (there?.isDirectory()) throw inTheWay(name, "a folder");
      if (there !== null) await rm(at);
      await symlink(target, at);
      this.#copied.files += 1;
    }
  }

  async #file(name: string, header: Header, content: AsyncIterable<Buffer>): Promise<void> {
    const at = path.join(this.#folder, name);
    if ((await lstat(at).catch(() => null))?.isDirectory()) throw inTheWay(name, "a folder");
    await writeWhole(at, content, {
      executable: ((header.mode ?? 0) & 0o100) !== 0,
      modified_at: header.mtime ?? null,
      copied: this.#copied,
    });
  }

  /** Makes a folder and those above it, none of which may be a symlink. */
  async #makeFolder(name: string): Promise<void> {
    if (name === ".") return;
    await this.#makeFolder(path.posix.dirname(name));
    const at = path.join(this.#folder, name);
    const there = await lstat(at).catch(() => null);
    if (there === null) await mkdir(at);
    else if (!there.isDirectory()) throw inTheWay(name, "something that is no folder");
  }
}

/** Writes a file beside its place and puts it there when it is whole, over a file or a symlink that is there. */
export async function writeWhole(
  at: string,
  content: AsyncIterable<Uint8Array>,
  options: { executable: boolean; modified_at: Date | null; copied: Copied },
): Promise<void> {
  const { executable, modified_at, copied } = options;
  const unfinished = path.join(path.dirname(at), `.${randomBytes(8).toString("hex")}.part`);
  const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW } = constants;
  try {
    await using file = await open(
      unfinished,
      O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW,
      executable ? 0o777 : 0o666,
    );
    for await (const chunk of content) {
      // Not `write`, which may take a part and say nothing, as on a disk that has just become full.
      await file.writeFile(chunk);
      copied.move(chunk.byteLength);
    }
    if (modified_at !== null && Math.abs(modified_at.getTime()) <= TIME_MAX_MS)
      await file.utimes(modified_at, modified_at);
    await rename(unfinished, at);
    copied.files += 1;
  } catch (error) {
    await rm(unfinished, { force: true });
    throw error;
  }
}

function isSafe(name: string): boolean {
  return (
    !name.includes("\0") && name.split("/").every((part) => part !== "" && part !== "." && part !== "..")
  );
}

function inTheWay(name: string, what: string): AppError {
  return new AppError({ code: "conflict", message: `In the place of ${name} there is ${what} already.` });
}
