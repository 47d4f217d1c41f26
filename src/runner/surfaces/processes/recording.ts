import { type FileHandle, mkdir, open } from "node:fs/promises";
import { join } from "node:path";
import { StringDecoder } from "node:string_decoder";
import { AppError } from "../../../contract/errors.ts";
import type { TerminalSize } from "../../../contract/surfaces.ts";

/** Where recordings lie, below the workspace; so they are in the job's ZIP. */
const FOLDER = ".sealwork/terminals";
/** A recording ends at this size, and says so. */
export const RECORDING_MAX_BYTES = 16 * 1024 * 1024;
/** What waits for the disk; the terminal is held back while it is more. */
const WAITING_MAX_BYTES = 1024 * 1024;
/** Always free for the last lines. */
const LAST_LINES_BYTES = 1024;

/**
 * What a terminal shows, as asciicast v3 (docs.asciinema.org/manual/asciicast/v3): output, changes of its size, its exit. What people type is
 * only in it as far as the terminal echoes it. When the disk takes no more, it ends early.
 */
export class Recording {
  readonly #file: FileHandle;
  readonly #decoder = new StringDecoder("utf8");
  readonly #begun = performance.now();
  #last_ms = 0;
  #bytes = 0;
  #waiting: string[] = [];
  #waiting_bytes = 0;
  #writing: Promise<void> | null = null;
  #over = false;

  private constructor(file: FileHandle) {
    this.#file = file;
  }

  /** Begins the recording of one terminal. Throws AppError `conflict` when it cannot be written. */
  static async open(options: {
    workspace: string;
    id: string;
    size: TerminalSize;
    command: string;
    env: Record<string, string>;
  }): Promise<Recording> {
    const { columns, rows } = options.size;
    let file: FileHandle;
    try {
      await mkdir(join(options.workspace, FOLDER), { recursive: true });
      file = await open(join(options.workspace, FOLDER, `${options.id}.cast`), "wx");
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause);
      throw new AppError({
        code: "conflict",
        message: `Terminals of this job are recorded, and the recording cannot be written: ${why}`,
        cause,
      });
    }
    const recording = new Recording(file);
    recording.#write({
      version: 3,
      term: { cols: columns, rows, type: options.env.TERM },
      timestamp: Math.floor(Date.now() / 1000),
      command: options.command,
      env: { SHELL: options.env.SHELL },
    });
    return recording;
  }

  /** Resolves at once, but for a disk that does not keep up. */
  async output(chunk: Buffer): Promise<void> {
    this.#event("o", this.#decoder.write(chunk));
    if (this.#waiting_bytes > WAITING_MAX_BYTES) await this.#writing;
  }

  resize({ columns, rows }: TerminalSize): void {
    this.#event("r", `${columns}x${rows}`);
  }

  /** Writes the exit code down and closes the file. */
  async end(exit_code: number): Promise<void> {
    this.#event("o", this.#decoder.end());
    this.#event("x", String(exit_code));
    this.#over = true;
    while (this.#writing !== null) await this.#writing;
    await this.#file.close();
  }

  #event(code: "o" | "r" | "x" | "m", text: string): void {
    if (this.#over || text === "") return;
    const now_ms = Math.round(performance.now() - this.#begun);
    const interval_s = (now_ms - this.#last_ms) / 1000;
    this.#last_ms = now_ms;
    if (this.#write([interval_s, code, text])) return;
    this.#over = true;
    this.#append(
      `${JSON.stringify([interval_s, "m", `The recording ends here: it is ${RECORDING_MAX_BYTES} bytes long.`])}\n`,
    );
  }

  /** False when there is no room for it any more. */
  #write(line: object): boolean {
    const text = `${JSON.stringify(line)}\n`;
    if (this.#bytes + Buffer.byteLength(text) > RECORDING_MAX_BYTES - LAST_LINES_BYTES) return false;
    this.#append(text);
    return true;
  }

  #append(text: string): void {
    const bytes = Buffer.byteLength(text);
    this.#bytes += bytes;
    this.#waiting_bytes += bytes;
    this.#waiting.push(text);
    this.#writing ??= this.#flush();
  }

  /** Takes what has come in the meantime with it, so that a busy terminal costs few writes. Never rejects. */
  async #flush(): Promise<void> {
    // One turn later, when this promise is known to whoever waits for it.
    await Promise.resolve();
    try {
      while (this.#waiting.length > 0) {
        const text = this.#waiting.join("");
        this.#waiting = [];
        await this.#file.appendFile(text);
        this.#waiting_bytes -= Buffer.byteLength(text);
      }
    } catch {
      // A full disk takes nothing away from who works in the terminal; the job is stopped for it elsewhere.
      this.#over = true;
      this.#waiting = [];
      this.#waiting_bytes = 0;
    } finally {
      this.#writing = null;
    }
  }
}
