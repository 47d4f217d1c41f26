import { AppError } from "../contract/errors.ts";
import type { PathTree } from "./path-tree.ts";
import { isReserved, judgePath, printable, RESERVED_FOLDER } from "./safe-path.ts";

/** One entry of an upload whose path has been judged. */
export type UploadEntry = { path: string; mode: number; modified_at: Date } & (
  | { kind: "file"; size_bytes: number; content: AsyncIterable<Buffer> }
  | { kind: "folder" }
  | { kind: "symlink"; target: string }
);

/** Judges an uploaded name and its place among those before it. Throws AppError `invalid_upload`. */
export function placeUpload(raw: string, kind: "file" | "folder" | "symlink", tree: PathTree): string {
  const verdict = judgePath(raw);
  if ("problem" in verdict) throw invalid(`The path "${printable(raw)}" ${verdict.problem}.`);
  if (verdict.folder && kind !== "folder")
    throw invalid(`The path "${printable(raw)}" of a ${kind} ends with a slash.`);
  if (isReserved(verdict.path))
    throw invalid(`The path "${printable(raw)}" lies in \`${RESERVED_FOLDER}\`, which is reserved.`);
  const problem = tree.place(verdict.path, kind);
  if (problem !== null) throw invalid(`The entry "${printable(raw)}" ${problem}.`);
  return verdict.path;
}

export function invalid(message: string, cause?: unknown): AppError {
  return new AppError({
    code: "invalid_upload",
    message,
    hint: "Send relative paths below the workspace, each once; a ZIP with plain files, folders and symlinks that stay inside.",
    cause,
  });
}
