import { request } from "../../api/request.ts";
import { LinePainter, type TerminalLine } from "../../text/terminal-line.ts";
import { PLAIN, type TextStyle } from "../../text/text-style.ts";

/** Read ahead of what is shown; the rest is read when somebody comes near its end. */
const AHEAD_BYTES = 2 * 1024 * 1024;
/** Of a line that many bytes are decoded at most; the line says that it is longer. */
const LINE_BYTES = 64 * 1024;
/** How far apart the places are at which the style of text is known. */
const STYLE_EVERY_LINES = 256;
const FIRST_LINES = 64 * 1024;
const LINE_FEED = 0x0a;
const ESCAPE = 0x1b;

export type OutputState = { lines: number; bytes: number; whole: boolean; error: unknown };

/**
 * All that a step wrote, as lines that are decoded when they are shown: 50 MB are held as the bytes that they are, and where lines begin. Read
 * as far as it is looked at.
 */
export class OutputLines {
  readonly #path: string;
  readonly #onChange: (state: OutputState) => void;
  readonly #closed = new AbortController();
  readonly #decoder = new TextDecoder();
  #bytes = new Uint8Array(AHEAD_BYTES);
  #length = 0;
  #starts = new Float64Array(FIRST_LINES);
  #lines = 0;
  #wanted_line = 0;
  #wake: (() => void) | null = null;
  #whole = false;
  #error: unknown = null;
  /** Whether any style was ever set, by when each block of lines began; without any nothing has to be looked for. */
  #has_style = false;
  readonly #styles: TextStyle[] = [PLAIN];

  constructor(path: string, onChange: (state: OutputState) => void) {
    this.#path = path;
    this.#onChange = onChange;
    void this.#read();
  }

  close(): void {
    this.#closed.abort();
    this.#wake?.();
  }

  /** Reads on until this line is there, and some of what comes after it. */
  want(line: number): void {
    this.#wanted_line = Math.max(this.#wanted_line, line);
    this.#wake?.();
  }

  wantAll(): void {
    this.want(Number.POSITIVE_INFINITY);
  }

  /** A line as it is shown, from 0. */
  line(index: number): TerminalLine {
    return this.#painterAt(index).paint([{ text: this.#text(index), stream: "stdout" }]);
  }

  /** The painter in the style in which a line begins: found from the last place where it is known. */
  #painterAt(index: number): LinePainter {
    if (!this.#has_style) return new LinePainter(PLAIN);
    const wanted = Math.floor(index / STYLE_EVERY_LINES);
    while (this.#styles.length <= wanted) {
      const block = this.#styles.length - 1;
      const painter = new LinePainter(this.#styles[block]);
      this.#advance(painter, block * STYLE_EVERY_LINES, (block + 1) * STYLE_EVERY_LINES);
      this.#styles.push(painter.style);
    }
    const painter = new LinePainter(this.#styles[wanted]);
    this.#advance(painter, wanted * STYLE_EVERY_LINES, index);
    return painter;
  }

  #advance(painter: LinePainter, from: number, to: number): void {
    for (let line = from; line < to; line += 1) {
      const start = this.#starts[line] ?? 0;
      const end = Math.min(this.#endOf(line), start + LINE_BYTES);
      // Without an escape a line changes no style.
      if (this.#bytes.subarray(start, end).includes(ESCAPE))
        painter.paint([{ text: this.#text(line), stream: "stdout" }]);
    }
  }

  #text(index: number): string {
    const start = this.#starts[index] ?? 0;
    const end = this.#endOf(index);
    const text = this.#decoder.decode(this.#bytes.subarray(start, Math.min(end, start + LINE_BYTES)));
    return end - start > LINE_BYTES ? `${text} … ${end - start - LINE_BYTES} more bytes on this line` : text;
  }

  /** Where a line ends, its line feed not counted. */
  #endOf(index: number): number {
    return index + 1 < this.#lines
      ? (this.#starts[index + 1] ?? 0) - 1
      : this.#length - (this.#endsLine() ? 1 : 0);
  }

  #endsLine(): boolean {
    return this.#length > 0 && this.#bytes[this.#length - 1] === LINE_FEED;
  }

  #hasEnough(): boolean {
    return (
      this.#wanted_line < this.#lines && this.#length >= (this.#starts[this.#wanted_line] ?? 0) + AHEAD_BYTES
    );
  }

  async #read(): Promise<void> {
    try {
      const { body } = await request(this.#path, { signal: this.#closed.signal });
      const reader = body?.getReader();
      while (reader !== undefined) {
        const { done, value } = await reader.read();
        if (done) break;
        this.#add(value);
        this.#tell();
        if (this.#hasEnough()) await this.#rest();
        if (this.#closed.signal.aborted) return void reader.cancel().catch(() => undefined);
      }
      this.#whole = true;
    } catch (error) {
      if (this.#closed.signal.aborted) return;
      this.#error = error;
    }
    this.#tell();
  }

  /** Nobody looks further: the rest waits at the server. */
  #rest(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = () => {
        if (!this.#hasEnough() || this.#closed.signal.aborted) resolve();
      };
    });
  }

  #add(chunk: Uint8Array): void {
    if (this.#length + chunk.length > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(this.#bytes.length * 2, this.#length + chunk.length));
      grown.set(this.#bytes.subarray(0, this.#length));
      this.#bytes = grown;
    }
    if (this.#length === 0 && chunk.length > 0) this.#begin(0);
    const ended = this.#endsLine();
    this.#bytes.set(chunk, this.#length);
    if (ended) this.#begin(this.#length);
    if (!this.#has_style) this.#has_style = chunk.includes(ESCAPE);
    // The last byte begins a line only once something follows it.
    for (
      let at = chunk.indexOf(LINE_FEED);
      at !== -1 && at < chunk.length - 1;
      at = chunk.indexOf(LINE_FEED, at + 1)
    )
      this.#begin(this.#length + at + 1);
    this.#length += chunk.length;
  }

  #begin(start: number): void {
    if (this.#lines === this.#starts.length) {
      const grown = new Float64Array(this.#starts.length * 2);
      grown.set(this.#starts);
      this.#starts = grown;
    }
    this.#starts[this.#lines] = start;
    this.#lines += 1;
  }

  #tell(): void {
    if (this.#closed.signal.aborted) return;
    this.#onChange({ lines: this.#lines, bytes: this.#length, whole: this.#whole, error: this.#error });
  }
}
