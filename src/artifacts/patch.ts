import { join } from "node:path";
import type { Readable } from "node:stream";
import { AppError } from "../contract/errors.ts";
import { writeNewFile } from "./durable-file.ts";
import { Git, runGit } from "./git.ts";
import { GitIgnore, IGNORE_FILE_MAX_BYTES } from "./git-ignore.ts";
import { asBuffer } from "./read-chunks.ts";
import { isReserved, judgePath } from "./safe-path.ts";
import { readTar } from "./tar-reading.ts";

/** git holds a file that it compares in memory: one larger than this (before or after) is left out of the patch. */
export const PATCH_FILE_MAX_BYTES = 256 * 1024 * 1024;

const SENT = "refs/heads/sent";
const MADE = "refs/heads/made";
const REGULAR = "100644";
const EXECUTABLE = "100755";
const SYMLINK = "120000";
/** No file of the data base is worth a delta or much compression, as it lives for one packing only. */
const GIT_SETTINGS = ["core.compression=1", "core.bigFileThreshold=32m", "gc.auto=0", "core.quotePath=false"];
/** Names of Windows and macOS for `.git`, which git refuses too (git 2.39, `verify_path` with core.protectNTFS and core.protectHFS). */
const HFS_IGNORED = /[\u200c-\u200f\u202a-\u202e\u206a-\u206f\ufeff]/g;

type Sent = { mode: string; mark: number };

/**
 * Makes `changes.patch`: what was sent and what the workspace became go as two commits into a bare repository on the workbench, through
 * `git fast-import`, so that no untrusted name ever becomes a path of this machine. New files that the upload's own `.gitignore` files name,
 * `.sealwork/`, and names that git refuses are left out. Renames are not looked for: each file stands for itself in the patch, so that what
 * applies it can take it file by file, and the time stays linear.
 */
export class PatchMaker implements AsyncDisposable {
  readonly #repository: string;
  readonly #import: Git;
  readonly #sent = new Map<string, Sent>();
  /** Of the upload, too large for the patch: neither commit has them. */
  readonly #left_out = new Set<string>();
  readonly #ignored = new GitIgnore();
  readonly #signal: AbortSignal;

  private constructor(repository: string, signal: AbortSignal) {
    this.#repository = repository;
    this.#signal = signal;
    this.#import = new Git(
      [...settings(repository), "fast-import", "--quiet", "--done", "--depth=0"],
      signal,
    );
    this.#import.stdout.resume();
  }

  /** Reads the upload (null: the job had none, then everything is new) and is ready for the workspace's files. */
  static async start(folder: string, upload: Readable | null, signal: AbortSignal): Promise<PatchMaker> {
    const repository = join(folder, "patch.git");
    let maker: PatchMaker | null = null;
    try {
      await runGit(["init", "--quiet", "--bare", "--template=", repository], signal);
      maker = new PatchMaker(repository, signal);
      if (upload !== null) await maker.#takeUpload(upload);
      await maker.#commit(SENT);
      for (const [path, { mode, mark }] of maker.#sent)
        await maker.#import.write(`M ${mode} :${mark} ${quoted(path)}\n`);
      await maker.#commit(MADE);
    } catch (error) {
      upload?.destroy();
      await maker?.[Symbol.asyncDispose]();
      throw error;
    }
    return maker;
  }

  /** Gives back what takes the file's content, which must then come whole, or null when the file is no part of the patch. */
  async beginFile(
    path: string,
    file: { executable: boolean; size_bytes: number },
  ): Promise<((chunk: Buffer) => Promise<void>) | null> {
    if (!this.#concerns(path)) return null;
    if (file.size_bytes > PATCH_FILE_MAX_BYTES) {
      const sent = this.#sent.get(path);
      if (sent !== undefined) await this.#import.write(`M ${sent.mode} :${sent.mark} ${quoted(path)}\n`);
      return null;
    }
    const mode = file.executable ? EXECUTABLE : REGULAR;
    await this.#import.write(`M ${mode} inline ${quoted(path)}\ndata ${file.size_bytes}\n`);
    return (chunk) => this.#import.write(chunk);
  }

  async addSymlink(path: string, target: string): Promise<void> {
    if (!this.#concerns(path) || path.slice(path.lastIndexOf("/") + 1).toLowerCase() === ".gitmodules")
      return;
    const content = Buffer.from(target);
    await this.#import.write(`M ${SYMLINK} inline ${quoted(path)}\ndata ${content.length}\n`);
    await this.#import.write(content);
    await this.#import.write("\n");
  }

  /** Writes the patch to a new file; an empty one when nothing changed. */
  async finish(to: string): Promise<void> {
    await this.#import.write("\ndone\n");
    await this.#import.finish();
    await using diff = new Git(
      [
        ...settings(this.#repository),
        "diff-tree",
        "-r",
        "-p",
        "--binary",
        "--full-index",
        "--no-renames",
        "--no-ext-diff",
        "--no-textconv",
        "--no-color",
        SENT,
        MADE,
      ],
      this.#signal,
    );
    await writeNewFile(to, chunksOf(diff.stdout));
    await diff.finish();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#import[Symbol.asyncDispose]();
  }

  async #takeUpload(upload: Readable): Promise<void> {
    for await (const entry of readTar(upload, uploadDamaged, this.#signal)) {
      const verdict = judgePath(entry.path);
      if ("problem" in verdict || entry.kind === "folder" || entry.kind === "other") continue;
      const { path } = verdict;
      if (isReserved(path) || isRefusedByGit(path)) continue;
      if (entry.size_bytes > PATCH_FILE_MAX_BYTES) {
        this.#left_out.add(path);
        continue;
      }
      const mark = this.#sent.size + 1;
      const symlink = entry.kind === "symlink" ? Buffer.from(entry.target) : null;
      await this.#import.write(`blob\nmark :${mark}\ndata ${symlink?.length ?? entry.size_bytes}\n`);
      if (symlink !== null) await this.#import.write(symlink);
      else await this.#takeContent(path, entry);
      await this.#import.write("\n");
      const mode = symlink !== null ? SYMLINK : (entry.mode & 0o100) !== 0 ? EXECUTABLE : REGULAR;
      this.#sent.set(path, { mode, mark });
    }
  }

  async #takeContent(
    path: string,
    entry: { size_bytes: number; content: AsyncIterable<Buffer> },
  ): Promise<void> {
    const rules: Buffer[] | null =
      /(^|\/)\.gitignore$/.test(path) && entry.size_bytes <= IGNORE_FILE_MAX_BYTES ? [] : null;
    for await (const chunk of entry.content) {
      rules?.push(chunk);
      await this.#import.write(chunk);
    }
    if (rules !== null) this.#ignored.add(path, Buffer.concat(rules).toString("utf8"));
  }

  #concerns(path: string): boolean {
    if (isReserved(path) || isRefusedByGit(path) || this.#left_out.has(path)) return false;
    return this.#sent.has(path) || !this.#ignored.ignores(path);
  }

  #commit(ref: string): Promise<void> {
    return this.#import.write(`commit ${ref}\ncommitter Sealwork <> 0 +0000\ndata 0\n`);
  }
}

function settings(repository: string): string[] {
  return [...GIT_SETTINGS.flatMap((setting) => ["-c", setting]), `--git-dir=${repository}`];
}

function isRefusedByGit(path: string): boolean {
  return path
    .toLowerCase()
    .replace(HFS_IGNORED, "")
    .split("/")
    .some((name) => /^(\.git|git~1)[ .]*(:.*)?$/.test(name));
}

/** fast-import's quoting; a judged path has no control characters and no backslash. */
function quoted(path: string): string {
  return `"${path.replaceAll('"', '\\"')}"`;
}

function uploadDamaged(cause: Error): AppError {
  return new AppError({ code: "internal", message: `The kept upload is damaged: ${cause.message}`, cause });
}

async function* chunksOf(stream: Readable): AsyncGenerator<Buffer> {
  for await (const chunk of stream) yield asBuffer(chunk);
}
