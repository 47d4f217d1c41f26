import { AppError } from "../contract/errors.ts";
import { isSafePath, type PatchFile, parsePatch } from "./changes-patch.ts";
import { staysInside } from "./folder-listing.ts";
import { commitFile, type PathState, pathState } from "./folder-state.ts";
import { writeChanges } from "./folder-write.ts";
import { type CommitFile, type FileMode, MergeRepository, type TreeChange } from "./merge-repository.ts";
import { type ZipEntry, zipEntries } from "./zip-contents.ts";

export const PATCH_PATH = ".sealwork/changes.patch";
const PATCH_MAX_BYTES = 512 * 1024 * 1024;
const RESERVED = ".sealwork/";

export type MergeOptions = {
  zip: string;
  folder: string;
  /** What the marks of a conflict call the job's side. */
  job_name: string;
  /** With conflicts: write the files with their marks, or nothing at all. */
  write_conflicts: boolean;
  env: Record<string, string | undefined>;
  signal: AbortSignal;
};

export type MergeOutcome = {
  changes: TreeChange[];
  conflicts: string[];
  left_out: string[];
  /** False when conflicts kept everything from being written. */
  written: boolean;
};

/**
 * Merges what a job changed into a folder, three ways. Theirs are the changed files in the ZIP; the patch taken back
 * from them gives the base, which is what was sent; ours are the same paths as they stand in the folder now, tracked
 * or not. git merges the three in a repository of its own, and what differs from ours is written back. The user's
 * own repository is neither read nor written. Throws `conflict` when it cannot be done; then nothing was written.
 */
export async function mergeChanges(options: MergeOptions): Promise<MergeOutcome> {
  const files = parsePatch(await readPatch(options.zip)).filter((file) => !isReserved(file));
  for (const name of files.flatMap(sides)) {
    if (!isSafePath(name)) throw refused(`the job has the unsafe path ${JSON.stringify(name)}`);
  }
  const { kept, left_out } = await keepWhatTheZipHas(options.zip, files);
  if (kept.length === 0) return { changes: [], conflicts: [], left_out, written: true };

  await using repository = await MergeRepository.create(options.env, options.signal);
  const job = options.job_name;
  const theirs = await repository.commit("theirs", null, theirFiles(options.zip, kept));
  checkIds(kept, await repository.files(theirs), "new");
  const base = await repository.commitReversed("base", theirs, Buffer.concat(kept.map((file) => file.bytes)));
  checkIds(kept, await repository.files(base), "old");
  await repository.reparent(job, theirs, base);

  const before = await readFolder(options.folder, kept);
  const ours = await repository.commit("yours", base, ourFiles(options.folder, before));
  const { tree, conflicts } = await repository.merge("yours", job);
  const changes = await repository.changes(ours, tree);
  if (conflicts.length > 0 && !options.write_conflicts)
    return { changes, conflicts, left_out, written: false };
  left_out.push(...(await writeChanges({ folder: options.folder, repository, changes, before })));
  return { changes, conflicts, left_out, written: true };
}

async function readPatch(zip: string): Promise<Buffer> {
  for await (const entry of zipEntries(zip)) {
    if (entry.path !== PATCH_PATH) continue;
    if (entry.size_bytes > PATCH_MAX_BYTES) throw refused("the patch of the job is too large");
    return content(entry);
  }
  throw new AppError({
    code: "conflict",
    message: "The ZIP of the job has no patch.",
    hint: "Only jobs that ran with --dir or --patch can be applied.",
  });
}

async function content(entry: ZipEntry): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of (await entry.open()) as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks);
}

function isReserved(file: PatchFile): boolean {
  return sides(file).some((name) => name.startsWith(RESERVED));
}

function sides(file: PatchFile): string[] {
  return [file.old_path, file.new_path].filter((name) => name !== null);
}

/** Links that leave the workspace are not in a ZIP, so what the patch says of them cannot be merged. */
async function keepWhatTheZipHas(
  zip: string,
  files: PatchFile[],
): Promise<{ kept: PatchFile[]; left_out: string[] }> {
  const wanted = new Set(files.map((file) => file.new_path));
  const present = new Set<string | null>([null]);
  for await (const entry of zipEntries(zip)) {
    if (!wanted.has(entry.path)) continue;
    const leaves = isLink(entry.mode) && !staysInside(entry.path, (await content(entry)).toString("utf8"));
    if (!leaves) present.add(entry.path);
  }
  const kept = files.filter((file) => present.has(file.new_path));
  const left_out = files
    .filter((file) => !present.has(file.new_path))
    .map((file) => `left out ${file.new_path}: it is not in the ZIP, or a link that leaves the folder`);
  return { kept, left_out };
}

function isLink(mode: number): boolean {
  return (mode & 0o170000) === 0o120000;
}

async function* theirFiles(zip: string, files: PatchFile[]): AsyncGenerator<CommitFile> {
  const wanted = new Set(files.map((file) => file.new_path));
  for await (const entry of zipEntries(zip)) {
    if (!wanted.delete(entry.path)) continue;
    const executable = (entry.mode & 0o100) !== 0;
    const mode: FileMode = isLink(entry.mode) ? "120000" : executable ? "100755" : "100644";
    yield { path: entry.path, mode, size_bytes: entry.size_bytes, open: () => entry.open() };
  }
}

/** The patch names the exact content of both sides; anything else would merge against the wrong base. */
function checkIds(files: PatchFile[], found: ReadonlyMap<string, string>, side: "old" | "new"): void {
  for (const file of files) {
    const name = side === "old" ? file.old_path : file.new_path;
    const oid = side === "old" ? file.old_oid : file.new_oid;
    if (name === null || oid === null || found.get(name) === oid) continue;
    throw refused(`the patch and the files of the ZIP do not belong together (${name})`);
  }
}

async function readFolder(folder: string, files: PatchFile[]): Promise<Map<string, PathState>> {
  const names = new Set(files.flatMap(sides));
  const folders = new Set<string>();
  for (const name of names) {
    for (let at = name.indexOf("/"); at !== -1; at = name.indexOf("/", at + 1))
      folders.add(name.slice(0, at + 1));
  }
  const states = new Map<string, PathState>();
  for (const name of names) {
    const state = await pathState(folder, name, (path) =>
      path.endsWith("/") ? folders.has(path) : names.has(path),
    );
    if (state.kind === "obstacle") throw refused(state.why);
    states.set(name, state);
  }
  return states;
}

function* ourFiles(folder: string, states: ReadonlyMap<string, PathState>): Generator<CommitFile> {
  for (const [name, state] of states) {
    const file = commitFile(folder, name, state);
    if (file !== null) yield file;
  }
}

function refused(why: string): AppError {
  return new AppError({ code: "conflict", message: `Nothing was written: ${why}.` });
}
