import type { Readable } from "node:stream";
import type { FileList } from "../contract/link-answers.ts";

export type Artifact = { size_bytes: number; sha256: string; files: number; left_out: number };

export type UploadPart =
  | { kind: "file"; path: string; content: Readable }
  | { kind: "archive"; content: Readable };

export type ArchiveFormat = "zip" | "tar";

/** What the orchestrator itself puts under `.sealwork/`; the workspace's files of these names are left out of the ZIP. */
export const OWN_FILE_NAMES = [
  "result.json",
  "transcript.md",
  "events.ndjson",
  "changes.patch",
  "manifest.json",
] as const;

/** `name` is the name inside `.sealwork/`. Content is streamed. */
export type OwnFile = { name: (typeof OWN_FILE_NAMES)[number]; content: () => Readable };

/** A packed file, for the manifest. `mode` is octal text such as "100644". */
export type PackedFile = { path: string; size_bytes: number; sha256: string; mode: string };

/** Keeps what goes into jobs (uploads) and what comes out (ZIPs, blobs). Files become visible only when complete. */
export interface Artifacts {
  /**
   * Takes an upload: validates names (no `..`, absolute, reserved `.sealwork`, symlinks), sizes, ratio and number of entries, and keeps it
   * as one tar. Throws AppError `invalid_upload`, or `body_too_large`; keeps nothing then.
   */
  saveUpload(
    job_id: string,
    parts: AsyncIterable<UploadPart>,
    signal: AbortSignal,
  ): Promise<{ files: number; size_bytes: number }>;
  /** The upload as a tar, for the sandbox; null when the job has none. */
  openUpload(job_id: string): Promise<Readable | null>;
  /** Gives a job the upload of another (for retry). False when that one is gone. */
  copyUpload(from_job_id: string, job_id: string): Promise<boolean>;
  /**
   * Writes the ZIP of a job from an untrusted tar of its workspace (null: the workspace could not be had). Symlinks that stay inside are
   * stored as such, those that lead out, devices and names that escape are left out and counted; bounded in entries.
   * `own` is called when the workspace is in, with what was packed, and gives the orchestrator's files. The list can be read
   * once, in `own` or within a file's `content`; there it has the orchestrator's files before that one too.
   * Replaces an earlier ZIP of the job only when complete.
   */
  writeZip(
    job_id: string,
    workspace: Readable | null,
    own: (packed: { files: AsyncIterable<PackedFile>; left_out: number }) => Promise<OwnFile[]> | OwnFile[],
    options: { patch: boolean },
    signal: AbortSignal,
  ): Promise<Artifact>;
  /** The ZIP, or null. `open` reads bytes start to end, inclusive. */
  openZip(job_id: string): Promise<{
    size_bytes: number;
    sha256: string;
    open: (range: { start: number; end: number } | null) => Readable;
  } | null>;
  /** `changes.patch` of an ended job as text; null when it has none. */
  openPatch(job_id: string): Promise<Readable | null>;
  /** One folder inside the ZIP, as the link lists it. Throws AppError `not_found`. */
  listZip(job_id: string, path: string): Promise<FileList>;
  /** One file inside the ZIP. Throws AppError `not_found`. */
  readZip(
    job_id: string,
    path: string,
    range: { start: number; end: number } | null,
  ): Promise<{ size_bytes: number; content: Readable }>;
  /** A tar of a folder inside the ZIP (what is in it) or of a file (itself). Throws AppError `not_found`. */
  openZipFolder(job_id: string, path: string, signal: AbortSignal): Promise<Readable>;
  /**
   * Makes an untrusted tar one that is safe to unpack, or a ZIP of it. Left out are names that lead out, doubles, and what lies below a symlink
   * or a file; in a ZIP also symlinks that lead out, names that not every system can keep, and everything but files, folders and symlinks.
   * In a tar an empty FIFO stands for such a thing. The stream errors, and never just ends, when `tar` does or is damaged.
   */
  safeArchive(tar: Readable, format: ArchiveFormat, signal: AbortSignal): Readable;
  /** Keeps a blob; checks its hash; enforces the bound per job (throws AppError `body_too_large`). Idempotent. */
  saveBlob(job_id: string, sha256: string, content: Buffer): Promise<void>;
  openBlob(job_id: string, sha256: string): Promise<{ size_bytes: number; content: Readable } | null>;
  /** Removes all of a job; resolves when it is already gone. */
  remove(job_id: string): Promise<void>;
  /** Ids of jobs that have anything here, for finding what belongs to nothing. */
  list(): AsyncIterable<string>;
}
