import type { FileHandle } from "node:fs/promises";
import { join } from "node:path";
import { isBinary, plainText } from "./plain-text.ts";
import { openNew } from "./rolling-file.ts";

/** What a model reads of one step's output: this much of its beginning and as much of its end. */
const HEAD_MAX_BYTES = 32 * 1024;
const TAIL_MAX_BYTES = 32 * 1024;
/** What is kept on disk of an output that is longer. */
const FILE_MAX_BYTES = 8 * 1024 * 1024;

/** Where outputs that are too long for a model lie. */
export function outputsFolder(home: string): string {
  return join(home, ".sealwork", "outputs");
}

/** The output of one step for the model: whole while it is short, else its head and tail, and all of it (bounded) in a file. */
export class KeptOutput implements AsyncDisposable {
  readonly #path: string;
  #head = Buffer.alloc(0);
  #tail: Buffer[] = [];
  #tail_bytes = 0;
  #bytes = 0;
  /** Undefined before it is needed, null when the disk takes no more. */
  #file: FileHandle | null | undefined;
  #file_bytes = 0;

  constructor(options: { home: string; step: number }) {
    this.#path = join(outputsFolder(options.home), `step-${options.step}.txt`);
  }

  async add(chunk: Buffer): Promise<void> {
    const whole = this.#bytes <= HEAD_MAX_BYTES + TAIL_MAX_BYTES;
    this.#bytes += chunk.length;
    if (!whole) await this.#write(chunk);
    else if (this.#bytes > HEAD_MAX_BYTES + TAIL_MAX_BYTES)
      await this.#write(Buffer.concat([this.#head, ...this.#tail, chunk]));
    const for_head = chunk.subarray(0, HEAD_MAX_BYTES - this.#head.length);
    if (for_head.length > 0) this.#head = Buffer.concat([this.#head, for_head]);
    const rest = chunk.subarray(for_head.length).subarray(-TAIL_MAX_BYTES);
    if (rest.length === 0) return;
    this.#tail.push(rest);
    this.#tail_bytes += rest.length;
    while (this.#tail_bytes - (this.#tail[0]?.length ?? 0) >= TAIL_MAX_BYTES)
      this.#tail_bytes -= this.#tail.shift()?.length ?? 0;
  }

  /** What a model reads: plain text, and where the rest is. Empty when nothing was written. */
  text(): string {
    const tail = Buffer.concat(this.#tail).subarray(-TAIL_MAX_BYTES);
    const left_out = this.#bytes - this.#head.length - tail.length;
    const shown = Buffer.concat([this.#head, tail]);
    const where = this.#file ? ` All of it is in ${this.#path}${this.#fileNote()}.` : "";
    if (isBinary(shown)) return `(${this.#bytes} bytes that are no text.${where})`;
    if (left_out <= 0) return plainText(shown.toString("utf8"));
    const middle = `\n[… ${left_out} bytes are left out here.${where} …]\n`;
    return `${plainText(this.#head.toString("utf8"))}${middle}${plainText(tail.toString("utf8"))}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file?.close().catch(() => undefined);
  }

  #fileNote(): string {
    return this.#bytes > this.#file_bytes ? ` (its first ${this.#file_bytes} bytes)` : "";
  }

  async #write(chunk: Buffer): Promise<void> {
    if (this.#file === null) return;
    const part = chunk.subarray(0, FILE_MAX_BYTES - this.#file_bytes);
    if (part.length === 0) return;
    try {
      this.#file ??= await openNew(this.#path);
      await this.#file.write(part);
      this.#file_bytes += part.length;
    } catch {
      // The step goes on without: a disk that is full is found by its watch.
      await this.#file?.close().catch(() => undefined);
      this.#file = null;
    }
  }
}
