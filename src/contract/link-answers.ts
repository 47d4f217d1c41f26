import { z } from "zod";

/** `secret` is what `start` gave this runner: who cannot repeat it is not the runner of this job. */
export const Hello = z.object({
  protocol: z.int(),
  version: z.string().max(100),
  epoch: z.string().regex(/^[0-9a-f]{16,64}$/),
  job_id: z.string().max(64).nullable(),
  secret: z.string().max(128).nullable(),
});
export type Hello = z.infer<typeof Hello>;

/** Entries of one folder of the workspace, at most FILES_LISTED_MAX, sorted by name. */
export const FileEntry = z.object({
  path: z.string().meta({ description: "Relative to the workspace, with / between names." }),
  type: z.enum(["file", "folder", "symlink", "other"]),
  size_bytes: z.number(),
  modified_at: z.string(),
  mode: z.int(),
});
export type FileEntry = z.infer<typeof FileEntry>;
export const FileList = z.object({ path: z.string(), entries: z.array(FileEntry), truncated: z.boolean() });
export type FileList = z.infer<typeof FileList>;

/** A file that is whole in its place; `created` is false where it replaced one. */
export const FileWritten = z.object({ size_bytes: z.int().min(0), created: z.boolean() });
export type FileWritten = z.infer<typeof FileWritten>;
/** What a tar became: files and symlinks. */
export const FilesUnpacked = z.object({ files: z.int().min(0) });
export type FilesUnpacked = z.infer<typeof FilesUnpacked>;

/** How a runner says no to a request: HTTP status of `code` in the table of errors, and this body. */
export const LinkError = z.object({ code: z.string().max(64), message: z.string().max(4000) });
