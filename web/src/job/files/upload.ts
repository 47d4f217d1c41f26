import { ApiError, answerFault } from "../../api/request.ts";

export type Dropped = { path: string; file: File };

/** By the older interface of browsers, the only one that says how far an upload has come. Throws ApiError; what the signal says when it was aborted. */
export function uploadFile(
  address: string,
  file: File,
  { signal, onProgress }: { signal: AbortSignal; onProgress: (sent_bytes: number) => void },
): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const call = new XMLHttpRequest();
  call.open("PUT", address);
  call.setRequestHeader("accept", "application/json");
  call.upload.onprogress = ({ loaded }) => onProgress(loaded);
  call.onload = () => {
    if (call.status === 200 || call.status === 201) resolve();
    else reject(answerFault(call.status, call.responseText));
  };
  call.onerror = () =>
    reject(
      new ApiError(0, {
        code: "unreachable",
        message: "The upload broke off: the server cannot be reached, or the file changed meanwhile.",
        hint: "What was there before is unchanged; try again.",
      }),
    );
  const abort = (): void => {
    call.abort();
    reject(signal.reason);
  };
  signal.addEventListener("abort", abort, { once: true });
  call.onloadend = () => signal.removeEventListener("abort", abort);
  call.send(file);
  return promise;
}

/** What was dropped, folders with all that is in them. */
export async function droppedFiles(items: DataTransferItemList): Promise<Dropped[]> {
  // The list is empty after the event, so the entries are taken first.
  const entries = Array.from(items, (item) => item.webkitGetAsEntry()).filter((entry) => entry !== null);
  const found: Dropped[] = [];
  for (const entry of entries) await collect(entry, "", found);
  return found;
}

/** Files of one drop; more are better sent as an archive. */
export const DROPPED_MAX = 2_000;

async function collect(entry: FileSystemEntry, folder: string, found: Dropped[]): Promise<void> {
  if (found.length >= DROPPED_MAX) return;
  const path = folder === "" ? entry.name : `${folder}/${entry.name}`;
  if (isFile(entry)) {
    const file = await new Promise<File>((resolve, reject) => entry.file(resolve, reject));
    found.push({ path, file });
  } else if (isFolder(entry)) {
    const reader = entry.createReader();
    // It gives a part at a time, and nothing at the end.
    for (;;) {
      const part = await new Promise<FileSystemEntry[]>((resolve, reject) =>
        reader.readEntries(resolve, reject),
      );
      if (part.length === 0) return;
      for (const child of part) await collect(child, path, found);
    }
  }
}

function isFile(entry: FileSystemEntry): entry is FileSystemFileEntry {
  return entry.isFile;
}

function isFolder(entry: FileSystemEntry): entry is FileSystemDirectoryEntry {
  return entry.isDirectory;
}
