import type { Readable } from "node:stream";
import yauzl from "yauzl";
import { AppError } from "../contract/errors.ts";

export type ZipEntry = {
  path: string;
  size_bytes: number;
  /** File type and permissions as Unix has them; 0 when the ZIP does not say. */
  mode: number;
  /** The unpacked content, exactly `size_bytes` or an error; to be read before the next entry is asked for. */
  open(): Promise<Readable>;
};

/** A ZIP with more entries than this is not read; a job's own is bounded by its disk. */
const ENTRIES_MAX = 2_000_000;

/** The files and symlinks of a ZIP in its order, folders left out. Throws `invalid_upload` when it is damaged. */
export async function* zipEntries(file: string): AsyncGenerator<ZipEntry> {
  const zip = await yauzl
    .openPromise(file, { lazyEntries: true, autoClose: false, validateEntrySizes: true })
    .catch((cause: unknown) => {
      throw damaged(file, cause);
    });
  try {
    let count = 0;
    const entries = zip.eachEntry();
    while (true) {
      const next = await entries.next().catch((cause: unknown) => {
        throw damaged(file, cause);
      });
      if (next.done === true) return;
      const entry = next.value;
      count += 1;
      if (count > ENTRIES_MAX) throw damaged(file, new Error(`it has more than ${ENTRIES_MAX} entries`));
      if (entry.fileName.endsWith("/")) continue;
      yield {
        path: entry.fileName,
        size_bytes: entry.uncompressedSize,
        mode: entry.externalFileAttributes >>> 16,
        open: () => zip.openReadStreamPromise(entry),
      };
    }
  } finally {
    zip.close();
  }
}

function damaged(file: string, cause: unknown): AppError {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new AppError({ code: "invalid_upload", message: `The ZIP ${file} cannot be read: ${why}.`, cause });
}
