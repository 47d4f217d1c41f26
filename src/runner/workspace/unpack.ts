import { constants } from "node:fs";
import { lstat, mkdir, open, realpath, rm, symlink, utimes } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { type Extract, extract } from "tar-stream";
import { AppError } from "../../contract/errors.ts";

/**
 * Unpacks a tar into the workspace, over what is there: files, folders and symlinks with their modes, files with their times; other kinds
 * are refused. Nothing is written outside or through a symlink. Returns how many files and symlinks there were.
 * Throws AppError `invalid_upload`, and what `tar` fails with.
 */
export async function unpackInto(
  workspace: string,
  tar: Readable,
  signal: AbortSignal,
): Promise<{ files: number }> {
  const unpacking = new Unpacking(await realpath(workspace));
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
  readonly #root: string;
  files = 0;
  /** The folder that was last found to be real all the way: entries of one folder follow each other. */
  #sound: string;

  constructor(root: string) {
    this.#root = root;
    this.#sound = root;
  }

  async add(entry: Entry): Promise<void> {
    const { name, type, mode, mtime, linkname } = entry.header;
    const path = this.#pathOf(name);
    if (type === "directory") {
      await this.#folder(path);
      entry.resume();
      return;
    }
    await this.#folder(dirname(path));
    await this.#clear(path);
    this.files += 1;
    if (type === "file") {
      const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW } = constants;
      await using file = await open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600);
      for await (const chunk of entry as AsyncIterable<Buffer>) await file.writeFile(chunk);
      await file.chmod((mode ?? 0o644) & 0o777);
      if (mtime !== undefined) await utimes(path, mtime, mtime);
    } else if (type === "symlink" && linkname) {
      await symlink(linkname, path);
      entry.resume();
    } else throw refusal(name, `is a ${type ?? "thing"} that cannot be uploaded`);
  }

  #pathOf(name: string): string {
    const parts = name.split("/").filter((part) => part !== "" && part !== ".");
    if (name.startsWith("/") || parts.includes("..") || name.includes("\0"))
      throw refusal(name, "leaves the workspace");
    return join(this.#root, ...parts);
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

  async #clear(path: string): Promise<void> {
    const stat = await lstat(path).catch(() => null);
    if (stat === null) return;
    if (stat.isDirectory()) throw refusal(path.slice(this.#root.length + 1), "is a folder already");
    await rm(path);
  }
}

function refusal(name: string, problem: string): AppError {
  const told = JSON.stringify(name.slice(0, 200));
  return new AppError({ code: "invalid_upload", message: `The upload's entry ${told} ${problem}.` });
}
