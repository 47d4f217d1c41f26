import { createHash, randomBytes } from "node:crypto";
import { constants } from "node:fs";
import { mkdir, open, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { AppError } from "../contract/errors.ts";
import { BLOB_MAX_BYTES, BLOBS_MAX_BYTES_PER_JOB } from "../contract/event-bounds.ts";

/** What is too large for an event, in files named by their SHA-256. Tools of the job can change them: whoever fetches one checks its hash. */
export class Blobs {
  readonly max_bytes: number;
  readonly #folder: string;
  #kept_bytes = 0;
  #exceeded = false;
  readonly #kept = new Set<string>();

  constructor(options: { folder: string; max_bytes?: number }) {
    this.#folder = options.folder;
    this.max_bytes = options.max_bytes ?? BLOBS_MAX_BYTES_PER_JOB;
  }

  /** Whether something was refused because all blobs together are as large as they may be. */
  get exceeded(): boolean {
    return this.#exceeded;
  }

  /** Keeps `content` and returns its SHA-256; null when a bound is passed or the disk takes no more. */
  async save(content: Buffer): Promise<string | null> {
    const sha256 = createHash("sha256").update(content).digest("hex");
    if (this.#kept.has(sha256)) return sha256;
    if (content.length > BLOB_MAX_BYTES) return null;
    if (this.#kept_bytes + content.length > this.max_bytes) {
      this.#exceeded = true;
      return null;
    }
    const unfinished = join(this.#folder, `.${randomBytes(8).toString("hex")}`);
    try {
      await mkdir(this.#folder, { recursive: true });
      await writeFile(unfinished, content, { flag: "wx" });
      await rename(unfinished, join(this.#folder, sha256));
    } catch {
      // An event without its blob is better than a job that ends for it; a full disk is found by its watch.
      await rm(unfinished, { force: true }).catch(() => undefined);
      return null;
    }
    this.#kept.add(sha256);
    this.#kept_bytes += content.length;
    return sha256;
  }

  /** Throws AppError `not_found`. */
  async read(sha256: string): Promise<Readable> {
    const missing = new AppError({ code: "not_found", message: `There is no blob ${sha256.slice(0, 64)}.` });
    if (!this.#kept.has(sha256)) throw missing;
    try {
      const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
      const file = await open(join(this.#folder, sha256), flags);
      return file.createReadStream({ end: BLOB_MAX_BYTES - 1 });
    } catch {
      throw missing;
    }
  }
}
