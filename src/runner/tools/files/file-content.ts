import { constants } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";

/** A file that is edited or written by a tool is at most this large. */
export const TEXT_MAX_BYTES = 4 * 1024 * 1024;
const PROBE_BYTES = 8 * 1024;

/** Opens a regular file to read it; a sentence when it cannot be. */
export async function openToRead(
  real: string,
  shown: string,
): Promise<{ file: FileHandle; size_bytes: number } | string> {
  const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = constants;
  let file: FileHandle;
  try {
    file = await open(real, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : "";
    return code === "ENOENT" ? `There is no file ${shown}.` : `${shown} cannot be read (${code}).`;
  }
  const stat = await file.stat();
  if (stat.isFile()) return { file, size_bytes: stat.size };
  await file.close();
  return stat.isDirectory() ? `${shown} is a folder: use list_files.` : `${shown} is no regular file.`;
}

/** Whether a file begins like no text: with a NUL in its first bytes. */
export async function beginsBinary(file: FileHandle): Promise<{ binary: boolean; start: Buffer }> {
  const { buffer, bytesRead } = await file.read(Buffer.alloc(PROBE_BYTES), 0, PROBE_BYTES, 0);
  const start = buffer.subarray(0, bytesRead);
  return { binary: start.includes(0), start };
}

/** The whole of a text file in UTF-8; a sentence when it is none, or too large. */
export async function readText(real: string, shown: string): Promise<{ text: string } | string> {
  const opened = await openToRead(real, shown);
  if (typeof opened === "string") return opened;
  await using file = opened.file;
  if (opened.size_bytes > TEXT_MAX_BYTES)
    return `${shown} has ${opened.size_bytes} bytes; files of more than ${TEXT_MAX_BYTES} are edited with shell or python.`;
  const content = await file.readFile();
  try {
    return { text: new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(content) };
  } catch {
    return `${shown} is no text in UTF-8: use shell or python.`;
  }
}
