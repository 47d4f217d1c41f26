import path from "node:path";
import { PassThrough } from "node:stream";
import yazl from "yazl";
import { AppError } from "../contract/errors.ts";
import { formatSize } from "../contract/units.ts";
import { UPLOAD_MAX_BYTES } from "../contract/upload-bounds.ts";
import type { FolderListing } from "./folder-listing.ts";

/** Larger members are stored as they are: one that packs extremely well looks like an attack to the server. */
const COMPRESS_MAX_BYTES = 64 * 1024 * 1024;

/**
 * The listed files as a ZIP, made while it is read: executable bits kept, symlinks as symlinks.
 * Throws `body_too_large` beyond what a server takes, and `usage` when a file changed under the reader.
 */
export async function* folderArchive(listing: FolderListing): AsyncGenerator<Uint8Array> {
  const zip = new yazl.ZipFile();
  const out = new PassThrough();
  zip.on("error", (error: Error) => out.destroy(error));
  zip.outputStream.on("error", (error: Error) => out.destroy(error));
  zip.outputStream.pipe(out);
  for (const entry of listing.entries) {
    if (entry.kind === "symlink") {
      zip.addBuffer(Buffer.from(entry.target), entry.path, { mode: 0o120777, compress: false });
    } else {
      zip.addFile(path.join(listing.folder, entry.path), entry.path, {
        mode: entry.executable ? 0o100755 : 0o100644,
        mtime: entry.modified_at,
        compress: entry.size_bytes <= COMPRESS_MAX_BYTES,
      });
    }
  }
  zip.end();
  let sent = 0;
  try {
    for await (const chunk of out as AsyncIterable<Buffer>) {
      sent += chunk.length;
      if (sent > UPLOAD_MAX_BYTES) throw tooLarge(listing.folder);
      yield chunk;
    }
  } catch (cause) {
    if (cause instanceof AppError) throw cause;
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new AppError({
      code: "usage",
      message: `${listing.folder} could not be sent: ${why}.`,
      hint: "Files that change or vanish while they are sent stop the upload; try again.",
      cause,
    });
  } finally {
    out.destroy();
  }
}

function tooLarge(folder: string): AppError {
  return new AppError({
    code: "body_too_large",
    message: `${folder} is larger than ${formatSize(UPLOAD_MAX_BYTES)} when packed, which no server takes.`,
    hint: "Send a smaller folder, or let .gitignore leave out what the task does not need.",
  });
}
