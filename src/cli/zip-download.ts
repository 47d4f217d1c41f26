import { createHash, type Hash, randomBytes } from "node:crypto";
import { constants } from "node:fs";
import { type FileHandle, mkdir, open, rename, rm, stat } from "node:fs/promises";
import path from "node:path";
import { DOWNLOAD_WAIT_MS } from "../contract/api.ts";
import { AppError } from "../contract/errors.ts";
import type { Client } from "./client.ts";
import { pause } from "./pause.ts";

/** Attempts to get the rest of a ZIP whose transfer broke off. */
const RESUMES_MAX = 5;
/** How often `not_ended` is asked again; the server itself waits for a job that is packing. */
const NOT_ENDED_MAX = 10;
const RETRY_PAUSE_MS = 1000;

export type Saved = { path: string; size_bytes: number; sha256: string };

/**
 * Saves the ZIP of an ended job. `out` is a folder, made when missing, or a file when it ends in `.zip`.
 * The file appears under its name only when it is whole and its hash is the server's; an older one is replaced.
 */
export async function saveZip(
  client: Client,
  job_id: string,
  target: { out: string; name: string },
  signal: AbortSignal,
): Promise<Saved> {
  const file = await targetFile(target.out, target.name);
  await mkdir(path.dirname(file), { recursive: true });
  const temporary = path.join(
    path.dirname(file),
    `.${path.basename(file)}.${randomBytes(4).toString("hex")}.part`,
  );
  const { O_WRONLY, O_CREAT, O_EXCL, O_APPEND } = constants;
  const handle = await open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_APPEND, 0o666);
  try {
    const received = await receive(client, job_id, handle, signal);
    await handle.sync();
    await handle.close();
    await rename(temporary, file);
    await syncFolder(path.dirname(file));
    return { path: file, ...received };
  } catch (error) {
    await handle.close().catch(() => {});
    await rm(temporary, { force: true });
    throw error;
  }
}

async function targetFile(out: string, name: string): Promise<string> {
  const is_folder = await stat(out).then(
    (found) => found.isDirectory(),
    () => false,
  );
  return !is_folder && out.toLowerCase().endsWith(".zip") ? out : path.join(out, name);
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, constants.O_RDONLY);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function receive(
  client: Client,
  job_id: string,
  handle: FileHandle,
  signal: AbortSignal,
): Promise<{ size_bytes: number; sha256: string }> {
  let hash: Hash = createHash("sha256");
  let size = 0;
  let etag: string | null = null;
  for (let attempt = 0; ; attempt += 1) {
    const headers: Record<string, string> = { accept: "application/zip" };
    if (size > 0 && etag !== null) Object.assign(headers, { range: `bytes=${size}-`, "if-range": etag });
    const answer = await openWhenEnded(client, job_id, headers, signal);
    if (answer.status !== 206 && size > 0) {
      await handle.truncate(0);
      hash = createHash("sha256");
      size = 0;
    }
    etag = answer.headers.get("etag");
    try {
      for await (const chunk of answer.body ?? []) {
        // Not `write`, which may take a part and say nothing, as on a disk that has just become full.
        await handle.appendFile(chunk);
        hash.update(chunk);
        size += chunk.byteLength;
      }
      break;
    } catch (cause) {
      signal.throwIfAborted();
      if (isFileError(cause)) throw cause;
      if (attempt >= RESUMES_MAX) {
        throw new AppError({
          code: "unreachable",
          message: `The transfer of the ZIP of job ${job_id} broke off.`,
          cause,
        });
      }
      await pause(RETRY_PAUSE_MS, signal);
    }
  }
  const sha256 = hash.digest("hex");
  const expected = etag?.replace(/^W\//, "").replaceAll('"', "");
  if (expected !== undefined && expected !== sha256) {
    throw new AppError({
      code: "internal",
      message: `The ZIP of job ${job_id} arrived damaged: its SHA-256 is ${sha256} and should be ${expected}.`,
      hint: `Try again: sealwork download ${job_id}`,
    });
  }
  return { size_bytes: size, sha256 };
}

function isFileError(error: unknown): boolean {
  return (
    error instanceof Error &&
    "syscall" in error &&
    error.syscall === "write" &&
    "code" in error &&
    error.code !== "EPIPE" &&
    error.code !== "ECONNRESET"
  );
}

async function openWhenEnded(
  client: Client,
  job_id: string,
  headers: Record<string, string>,
  signal: AbortSignal,
): Promise<Response> {
  for (let attempt = 0; ; attempt += 1) {
    const asked_at = performance.now();
    try {
      return await client.open({ path: `/download/${job_id}`, headers, signal });
    } catch (error) {
      if (!(error instanceof AppError) || error.code !== "not_ended" || attempt >= NOT_ENDED_MAX) throw error;
      const job = await client.job(job_id, signal);
      // A job that still works would be waited for in vain; one that packs was waited for by the server.
      if (job.phase !== "packing" && job.phase !== "ended") throw error;
      if (performance.now() - asked_at < DOWNLOAD_WAIT_MS) await pause(RETRY_PAUSE_MS, signal);
    }
  }
}

const SLUG_MAX_CHARS = 40;

/** A name for files made of a task's first words or its file's name: lower case letters, digits and dashes. */
export function slug(text: string): string {
  const word = text
    .normalize("NFKD")
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .slice(0, SLUG_MAX_CHARS)
    .replace(/^-+|-+$/g, "");
  return word === "" ? "job" : word;
}

/** The first line of a prompt that says something, without Markdown's marks; the fence of a block says nothing. */
export function titleOf(prompt: string): string {
  const line =
    prompt
      .split("\n")
      .find((candidate) => /[\p{L}\p{N}]/u.test(candidate) && !/^\s*(?:```|~~~)/.test(candidate)) ?? "";
  return line.replace(/^[#>\s*-]+/, "").trim();
}
