import { createHash } from "node:crypto";
import type { Readable } from "node:stream";
import { AppError } from "../contract/errors.ts";
import { OWN_FILE_NAMES, type PackedFile } from "../core/artifacts.ts";
import type { NewFile } from "./durable-file.ts";
import type { PatchMaker } from "./patch.ts";
import { PathTree } from "./path-tree.ts";
import { asBuffer } from "./read-chunks.ts";
import { isReserved, judgePath, judgeSymlink, RESERVED_FOLDER } from "./safe-path.ts";
import { readTar, type TarEntry } from "./tar-reading.ts";
import type { ZipWriter } from "./zip-writer.ts";

/** Files, folders and symlinks of a workspace that come into its ZIP; those beyond are left out. */
export const PACKED_ENTRIES_MAX = 250_000;
/** A workspace of more entries than this is a runner that floods. */
const TAR_ENTRIES_MAX = 4_000_000;

const FILE_TYPE = 0o100000;
const FOLDER_TYPE = 0o040000;
const SYMLINK_MODE = 0o120777;
const OWN_FILE_MODE = FILE_TYPE | 0o644;

/** Where packed entries go: the ZIP, the list for the manifest and the patch where these are made. */
export type Packing = { zip: ZipWriter; list: NewFile | null; patch: PatchMaker | null; signal: AbortSignal };
export type Counts = { files: number; left_out: number };

/**
 * Packs an untrusted tar. What cannot stand in a ZIP safely is left out and counted: names that escape or that no system can keep,
 * symlinks that lead out, entries below a symlink, doubles, devices, hard links, and the orchestrator's own names. A damaged tar throws
 * AppError `protocol_violated`.
 */
export async function packWorkspace(workspace: Readable, packing: Packing): Promise<Counts> {
  const tree = new PathTree(PACKED_ENTRIES_MAX);
  tree.imply(RESERVED_FOLDER);
  const counts: Counts = { files: 0, left_out: 0 };
  let entries = 0;
  for await (const entry of readTar(workspace, tarDamaged, packing.signal)) {
    entries += 1;
    if (entries > TAR_ENTRIES_MAX)
      throw tarDamaged(new Error(`It has more than ${TAR_ENTRIES_MAX} entries.`));
    if (entry.kind === "folder" && /^\.?\/*$/.test(entry.path)) continue;
    const path = placeOf(entry, tree);
    if (path === null) {
      counts.left_out += 1;
      continue;
    }
    if (entry.kind === "folder") await packFolder(path, entry, packing);
    else {
      if (entry.kind === "symlink") await packSymlink(path, entry, packing);
      else await packFile(path, entry, packing);
      counts.files += 1;
    }
  }
  return counts;
}

/** Adds one of the orchestrator's own files; gives its line for the manifest. */
export async function packOwnFile(
  name: (typeof OWN_FILE_NAMES)[number],
  content: AsyncIterable<unknown>,
  packing: Omit<Packing, "patch">,
): Promise<void> {
  const path = `${RESERVED_FOLDER}/${name}`;
  const sum = createHash("sha256");
  let size_bytes = 0;
  const chunks = (async function* () {
    for await (const piece of content) {
      const chunk = asBuffer(piece);
      sum.update(chunk);
      size_bytes += chunk.length;
      yield chunk;
    }
  })();
  const entry = { path, mode: OWN_FILE_MODE, modified_at: new Date() };
  await packing.zip.addFile(entry, { size_bytes: null, chunks }, packing.signal);
  await note(packing.list, { path, size_bytes, sha256: sum.digest("hex"), mode: OWN_FILE_MODE.toString(8) });
}

/** The path at which an entry comes into the ZIP, or null when it is left out. */
function placeOf(entry: TarEntry, tree: PathTree): string | null {
  const verdict = judgePath(entry.path);
  if ("problem" in verdict || entry.kind === "other") return null;
  const { path } = verdict;
  if (verdict.folder && entry.kind !== "folder") return null;
  if (isReserved(path) && OWN_FILE_NAMES.some((name) => name === path.split("/")[1])) return null;
  if (entry.kind === "symlink" && judgeSymlink(path, entry.target) !== null) return null;
  return tree.place(path, entry.kind) === null ? path : null;
}

export async function packFolder(path: string, entry: TarEntry, { zip }: Packing): Promise<void> {
  const mode = FOLDER_TYPE | 0o700 | (entry.mode & 0o777);
  await zip.addWhole({ path: `${path}/`, mode, modified_at: entry.modified_at }, Buffer.alloc(0));
}

export async function packSymlink(
  path: string,
  entry: TarEntry,
  { zip, list, patch }: Packing,
): Promise<void> {
  const target = Buffer.from(entry.target);
  await patch?.addSymlink(path, entry.target);
  await zip.addWhole({ path, mode: SYMLINK_MODE, modified_at: entry.modified_at }, target);
  const sha256 = createHash("sha256").update(target).digest("hex");
  await note(list, { path, size_bytes: target.length, sha256, mode: SYMLINK_MODE.toString(8) });
}

export async function packFile(
  path: string,
  entry: TarEntry,
  { zip, list, patch, signal }: Packing,
): Promise<void> {
  const mode = FILE_TYPE | 0o600 | (entry.mode & 0o777);
  const { size_bytes } = entry;
  const sum = createHash("sha256");
  const for_patch = (await patch?.beginFile(path, { executable: (mode & 0o100) !== 0, size_bytes })) ?? null;
  const chunks = (async function* () {
    for await (const chunk of entry.content) {
      sum.update(chunk);
      await for_patch?.(chunk);
      yield chunk;
    }
    await for_patch?.(Buffer.from("\n"));
  })();
  await zip.addFile({ path, mode, modified_at: entry.modified_at }, { size_bytes, chunks }, signal);
  await note(list, { path, size_bytes, sha256: sum.digest("hex"), mode: mode.toString(8) });
}

async function note(list: NewFile | null, file: PackedFile): Promise<void> {
  await list?.write(Buffer.from(`${JSON.stringify(file)}\n`));
}

function tarDamaged(cause: Error): AppError {
  return new AppError({
    code: "protocol_violated",
    message: `The sandbox sent a damaged tar of its workspace: ${cause.message}`,
    cause,
  });
}
