import { lstat, readdir, readlink } from "node:fs/promises";
import path from "node:path";
import { UPLOAD_ENTRIES_MAX, UPLOAD_UNPACKED_MAX_BYTES } from "../contract/api.ts";
import { AppError } from "../contract/errors.ts";
import { formatSize } from "../contract/units.ts";
import { git, gitOk, isRepository } from "./git.ts";

export type FolderEntry =
  | { kind: "file"; path: string; size_bytes: number; executable: boolean; modified_at: Date }
  | { kind: "symlink"; path: string; target: string };

export type FolderListing = {
  folder: string;
  entries: FolderEntry[];
  size_bytes: number;
  /** What was left out that somebody could miss, as sentences. */
  notes: string[];
  /** Whether git said what belongs to it. */
  by_git: boolean;
};

/** Folders that are made by tools and large; left out where no git says what is ignored. */
const LEFT_OUT = new Set([
  ".git",
  ".hg",
  ".svn",
  "node_modules",
  ".venv",
  "venv",
  "__pycache__",
  ".mypy_cache",
  ".pytest_cache",
  ".ruff_cache",
  ".tox",
  ".cache",
  ".gradle",
  ".terraform",
  ".DS_Store",
]);
const NOTES_MAX = 20;
/** The orchestrator's own folder in a ZIP; one from an earlier result is not sent. */
const RESERVED = ".sealwork";

type Options = { env: Record<string, string | undefined>; signal: AbortSignal };

/**
 * What `--dir` sends of a folder: in a git work tree the tracked files as they are now and untracked ones that git
 * does not ignore, elsewhere all but what tools make. Symlinks that leave the folder, submodules and special files
 * are left out with a note. Throws `usage` when the folder is missing, has nothing to send, or is too large.
 */
export async function listFolder(folder: string, options: Options): Promise<FolderListing> {
  const found = await lstat(path.join(folder, ".")).catch(() => null);
  if (found === null || !found.isDirectory()) {
    throw new AppError({
      code: "usage",
      message: `${folder} is not a folder.`,
      hint: "Give --dir an existing folder.",
    });
  }
  const listing: FolderListing = { folder, entries: [], size_bytes: 0, notes: [], by_git: false };
  const left_out: string[] = [];
  listing.by_git = await hasGit(folder, options);
  const paths = listing.by_git ? gitPaths(folder, options, left_out) : walkedPaths(folder, "");
  for await (const name of paths) {
    options.signal.throwIfAborted();
    await add(listing, name, left_out);
  }
  for (const note of left_out.slice(0, NOTES_MAX)) listing.notes.push(note);
  if (left_out.length > NOTES_MAX)
    listing.notes.push(`and ${left_out.length - NOTES_MAX} more were left out`);
  if (listing.entries.length === 0) {
    throw new AppError({
      code: "usage",
      message: `There is nothing to send in ${folder}.`,
      hint: listing.by_git ? "git ignores all that is in it, or it is empty." : "The folder is empty.",
    });
  }
  return listing;
}

async function hasGit(folder: string, options: Options): Promise<boolean> {
  try {
    return await isRepository({ cwd: folder, ...options });
  } catch (error) {
    if (error instanceof AppError && error.message === "git is not installed.") return false;
    throw error;
  }
}

async function add(listing: FolderListing, name: string, left_out: string[]): Promise<void> {
  if (name === RESERVED || name.startsWith(`${RESERVED}/`)) return;
  if (/[\\\x00-\x1f\x7f]/.test(name)) {
    left_out.push(`left out ${JSON.stringify(name)}: a name with backslashes or control characters`);
    return;
  }
  const full = path.join(listing.folder, name);
  const found = await lstat(full).catch(() => null);
  if (found === null) return; // Tracked, but deleted in the work tree.
  if (found.isSymbolicLink()) {
    const target = await readlink(full);
    if (!staysInside(name, target))
      left_out.push(`left out ${name}: a link that leaves the folder (${target})`);
    else listing.entries.push({ kind: "symlink", path: name, target });
  } else if (found.isFile()) {
    const executable = (found.mode & 0o100) !== 0;
    listing.entries.push({
      kind: "file",
      path: name,
      size_bytes: found.size,
      executable,
      modified_at: found.mtime,
    });
    listing.size_bytes += found.size;
  } else if (found.isDirectory()) {
    left_out.push(`left out ${name}: a repository of its own`);
  } else {
    left_out.push(`left out ${name}: neither a file nor a link`);
  }
  if (listing.entries.length > UPLOAD_ENTRIES_MAX)
    tooLarge(listing.folder, `more than ${UPLOAD_ENTRIES_MAX} files`);
  if (listing.size_bytes > UPLOAD_UNPACKED_MAX_BYTES) {
    tooLarge(listing.folder, `more than ${formatSize(UPLOAD_UNPACKED_MAX_BYTES)}`);
  }
}

function tooLarge(folder: string, what: string): never {
  throw new AppError({
    code: "usage",
    message: `${folder} has ${what}, which cannot be sent.`,
    hint: "Send a smaller folder, or let .gitignore leave out what the task does not need.",
  });
}

/** Whether a link's target, read from the link's own folder, stays below the root. */
export function staysInside(link: string, target: string): boolean {
  if (target === "" || target.startsWith("/") || target.includes("\0")) return false;
  const names = target.split("/").filter((name) => name !== "" && name !== ".");
  const ups = names.findIndex((name) => name !== "..");
  // After a name `..` would be taken from wherever that name leads, which may be a symlink too.
  if (ups !== -1 && names.lastIndexOf("..") > ups) return false;
  const resolved = path.posix.normalize(path.posix.join(path.posix.dirname(link), target));
  return resolved !== ".." && !resolved.startsWith("../") && !resolved.startsWith("/");
}

async function* gitPaths(folder: string, options: Options, left_out: string[]): AsyncGenerator<string> {
  const where = { cwd: folder, ...options };
  const args = ["ls-files", "-z", "--cached", "--others", "--exclude-standard", "--deduplicate"];
  let result = await git(args, where);
  // --deduplicate came with git 2.31; without it a file with conflicts is listed once per stage.
  if (result.code === 129) result = { ...result, code: 0, stdout: await gitOk(args.slice(0, -1), where) };
  if (result.code !== 0) {
    throw new AppError({ code: "usage", message: `git cannot list ${folder}: ${result.stderr.trim()}` });
  }
  const seen = new Set<string>();
  for (const bytes of split(result.stdout)) {
    const name = bytes.toString("utf8");
    if (!Buffer.from(name).equals(bytes))
      left_out.push(`left out ${JSON.stringify(name)}: its name is not UTF-8`);
    const plain = name.replace(/\/$/, "");
    if (plain === "" || seen.has(plain)) continue;
    seen.add(plain);
    yield plain;
  }
}

function* split(bytes: Buffer): Generator<Buffer> {
  let from = 0;
  for (let end = bytes.indexOf(0); end !== -1; end = bytes.indexOf(0, from)) {
    yield bytes.subarray(from, end);
    from = end + 1;
  }
}

async function* walkedPaths(folder: string, under: string): AsyncGenerator<string> {
  const found = await readdir(path.join(folder, under), { withFileTypes: true });
  for (const entry of found.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    if (LEFT_OUT.has(entry.name)) continue;
    const name = under === "" ? entry.name : `${under}/${entry.name}`;
    if (name === RESERVED) continue;
    if (entry.isDirectory()) yield* walkedPaths(folder, name);
    else yield name;
  }
}
