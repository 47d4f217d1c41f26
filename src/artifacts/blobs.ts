import { createHash } from "node:crypto";
import { mkdir, open, readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { AppError } from "../contract/errors.ts";
import { BLOB_MAX_BYTES, BLOBS_MAX_BYTES_PER_JOB } from "../contract/event-bounds.ts";
import { openWorkbench, publish, writeNewFile } from "./durable-file.ts";

/** Small blobs cost a file each. */
export const BLOBS_MAX_PER_JOB = 10_000;
/** Jobs whose totals are remembered; for others they are measured again. */
const TOTALS_KEPT_MAX = 1000;

type Totals = { count: number; bytes: number };

/** The blobs of all jobs: `<folder of the job>/blobs/<sha256>`. */
export class Blobs {
  readonly #unfinished: string;
  readonly #totals = new Map<string, Promise<Totals>>();

  constructor(unfinished: string) {
    this.#unfinished = unfinished;
  }

  async save(job_folder: string, sha256: string, content: Buffer): Promise<void> {
    if (createHash("sha256").update(content).digest("hex") !== sha256)
      throw new AppError({
        code: "protocol_violated",
        message: "A blob does not have the SHA-256 that it was announced with.",
      });
    if (content.length > BLOB_MAX_BYTES)
      throw new AppError({
        code: "body_too_large",
        message: `A blob is larger than ${BLOB_MAX_BYTES} bytes.`,
      });
    const folder = join(job_folder, "blobs");
    const path = join(folder, sha256);
    if (await exists(path)) return;
    const totals = await this.#totalsOf(job_folder);
    // Reserved before anything is awaited, so that blobs that come at the same time cannot pass the bound together.
    if (totals.count + 1 > BLOBS_MAX_PER_JOB || totals.bytes + content.length > BLOBS_MAX_BYTES_PER_JOB)
      throw new AppError({
        code: "body_too_large",
        message: `The job has kept its ${BLOBS_MAX_BYTES_PER_JOB} bytes or ${BLOBS_MAX_PER_JOB} pieces of blobs already.`,
      });
    totals.count += 1;
    totals.bytes += content.length;
    try {
      await using bench = await openWorkbench(this.#unfinished);
      const finished = join(bench.path, "blob");
      await writeNewFile(finished, [content]);
      await mkdir(folder, { recursive: true, mode: 0o700 });
      await publish(finished, path);
    } catch (error) {
      totals.count -= 1;
      totals.bytes -= content.length;
      throw error;
    }
  }

  async open(job_folder: string, sha256: string): Promise<{ size_bytes: number; content: Readable } | null> {
    if (!/^[0-9a-f]{64}$/.test(sha256)) return null;
    const handle = await openExisting(join(job_folder, "blobs", sha256));
    if (handle === null) return null;
    const { size } = await handle.stat();
    return { size_bytes: size, content: handle.createReadStream() };
  }

  forget(job_folder: string): void {
    this.#totals.delete(job_folder);
  }

  #totalsOf(job_folder: string): Promise<Totals> {
    const known = this.#totals.get(job_folder);
    if (known !== undefined) return known;
    const [oldest] = this.#totals.keys();
    if (this.#totals.size >= TOTALS_KEPT_MAX && oldest !== undefined) this.#totals.delete(oldest);
    const measured = measure(join(job_folder, "blobs"));
    this.#totals.set(job_folder, measured);
    measured.catch(() => this.#totals.delete(job_folder));
    return measured;
  }
}

async function measure(folder: string): Promise<Totals> {
  const totals = { count: 0, bytes: 0 };
  for (const name of await readdir(folder).catch(noneIfMissing)) {
    totals.count += 1;
    totals.bytes += (await stat(join(folder, name))).size;
  }
  return totals;
}

function noneIfMissing(error: unknown): string[] {
  if (isMissing(error)) return [];
  throw error;
}

/** Null when there is no such file. */
export async function openExisting(path: string) {
  try {
    return await open(path, "r");
  } catch (error) {
    if (isMissing(error)) return null;
    throw error;
  }
}

export async function exists(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
}

export function isMissing(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ENOENT";
}
