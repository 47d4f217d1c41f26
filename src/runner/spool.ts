import { randomBytes } from "node:crypto";
import { type FileHandle, open, unlink } from "node:fs/promises";
import { join } from "node:path";

/**
 * A file without a name, cut into slots of one size that are taken, written, read and given back.
 * It is unlinked as soon as it is open, so no tool of the job finds it and nothing is left of it afterwards.
 */
export class Spool implements AsyncDisposable {
  readonly #file: FileHandle;
  readonly #slot_bytes: number;
  readonly #slots: number;
  readonly #given: number[] = [];
  #taken = 0;

  private constructor(file: FileHandle, slot_bytes: number, slots: number) {
    this.#file = file;
    this.#slot_bytes = slot_bytes;
    this.#slots = slots;
  }

  /** Null when the file cannot be made. */
  static async open(options: { folder: string; slot_bytes: number; slots: number }): Promise<Spool | null> {
    const path = join(options.folder, `.spool-${randomBytes(8).toString("hex")}`);
    try {
      const file = await open(path, "wx+", 0o600);
      await unlink(path);
      return new Spool(file, options.slot_bytes, options.slots);
    } catch {
      return null;
    }
  }

  /** Slots in use. */
  get used(): number {
    return this.#taken - this.#given.length;
  }

  /** A slot to write into, null when all are in use. */
  take(): number | null {
    const slot = this.#given.pop();
    if (slot !== undefined) return slot;
    return this.#taken < this.#slots ? this.#taken++ : null;
  }

  give(slot: number): void {
    this.#given.push(slot);
  }

  /** `content` is at most a slot long. */
  async write(slot: number, content: Buffer): Promise<void> {
    let written = 0;
    while (written < content.length) {
      const position = slot * this.#slot_bytes + written;
      const { bytesWritten } = await this.#file.write(content, written, content.length - written, position);
      written += bytesWritten;
    }
  }

  async read(slot: number, bytes: number): Promise<Buffer> {
    const content = Buffer.alloc(bytes);
    let filled = 0;
    while (filled < bytes) {
      const { bytesRead } = await this.#file.read(
        content,
        filled,
        bytes - filled,
        slot * this.#slot_bytes + filled,
      );
      if (bytesRead === 0) throw new Error("The spool file is shorter than what was written into it.");
      filled += bytesRead;
    }
    return content;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file.close();
  }
}
