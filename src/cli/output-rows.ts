import { StringDecoder } from "node:string_decoder";
import type picocolors from "picocolors";
import { LinePainter } from "./terminal-text.ts";

/** A line of output that does not end is shown in pieces of this size. */
const LINE_MAX_CHARS = 16 * 1024;
/** Stands before each row of output, so that none can pass for a line of ours. */
export const GUTTER = "  │ ";

type Colours = ReturnType<typeof picocolors.createColors>;
type Stream = "stdout" | "stderr";
type Output = { decoder: StringDecoder; painter: LinePainter; rest: string };

/** Makes rows of what steps write to their two streams; the line that is not complete yet is kept. */
export class OutputRows {
  readonly #colours: Colours;
  readonly #room: () => number;
  readonly #outputs: Record<Stream, Output>;
  #latest: Stream = "stdout";

  /** `room` is how wide a row may be, its gutter not counted. */
  constructor(options: { colours: Colours; keep_colours: boolean; room: () => number }) {
    this.#colours = options.colours;
    this.#room = options.room;
    const output = () => ({
      decoder: new StringDecoder("utf8"),
      painter: new LinePainter(options.keep_colours),
      rest: "",
    });
    this.#outputs = { stdout: output(), stderr: output() };
  }

  /** The rows that are complete with these bytes. */
  take(stream: Stream, bytes: Buffer): string[] {
    // Where the other stream comes in between, the open line of that one is closed first.
    const rows = this.#latest === stream ? [] : this.#flushed(this.#latest);
    this.#latest = stream;
    const own = this.#outputs[stream];
    const lines = (own.rest + own.decoder.write(bytes)).split("\n");
    own.rest = lines.pop() ?? "";
    for (const line of lines)
      for (const row of own.painter.paint(line.replace(/\r$/, ""), this.#room()))
        rows.push(this.#gutter(stream) + row);
    if (own.rest.length > LINE_MAX_CHARS) rows.push(...this.#flushed(stream));
    return rows;
  }

  /** The open lines, which are closed by this. */
  flush(): string[] {
    return [...this.#flushed("stdout"), ...this.#flushed("stderr")];
  }

  /** What the line that is not complete yet looks like now; null when there is none. */
  open(): string | null {
    const { rest, painter } = this.#outputs[this.#latest];
    return rest === "" ? null : this.#gutter(this.#latest) + painter.peek(rest, this.#room());
  }

  #flushed(stream: Stream): string[] {
    const own = this.#outputs[stream];
    const { painter, rest } = own;
    own.rest = "";
    return rest === "" ? [] : painter.paint(rest, this.#room()).map((row) => this.#gutter(stream) + row);
  }

  #gutter(stream: Stream): string {
    return stream === "stderr" ? this.#colours.red(GUTTER) : this.#colours.dim(GUTTER);
  }
}
