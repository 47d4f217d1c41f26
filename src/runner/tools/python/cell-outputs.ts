import type { CellOutput } from "./kernel-line.ts";

/** Of one cell's text output this much is kept. */
const STREAM_MAX_CHARS = 256 * 1024;
const OUTPUTS_MAX_PER_CELL = 100;

type Output = Record<string, unknown>;

/** The outputs of one cell in the form of a notebook (nbformat 4). */
export class CellOutputs {
  readonly #outputs: Output[] = [];
  #chars = 0;

  add(output: CellOutput): void {
    if (output.event === "stream") {
      this.#addText(output.name, output.text);
    } else if (this.#outputs.length >= OUTPUTS_MAX_PER_CELL) {
      return;
    } else if (output.event === "error") {
      const { name, value, text } = output;
      this.#outputs.push({ output_type: "error", ename: name, evalue: value, traceback: text.split("\n") });
    } else {
      const data = Object.fromEntries(
        Object.entries(output.data).map(([mime, value]) => [mime, ofMime(mime, value)]),
      );
      this.#outputs.push(
        output.result
          ? { output_type: "execute_result", data, metadata: {}, execution_count: null }
          : { output_type: "display_data", data, metadata: {} },
      );
    }
  }

  /** All of them, with the number that the kernel gave the cell. */
  list(count: number | null): Output[] {
    return this.#outputs.map((output) =>
      output.output_type === "execute_result" ? { ...output, execution_count: count } : output,
    );
  }

  #addText(name: string, text: string): void {
    const kept = text.slice(0, Math.max(0, STREAM_MAX_CHARS - this.#chars));
    this.#chars += text.length;
    if (kept === "") return;
    const last = this.#outputs.at(-1);
    if (last?.output_type === "stream" && last.name === name) last.text = `${last.text}${kept}`;
    else if (this.#outputs.length < OUTPUTS_MAX_PER_CELL)
      this.#outputs.push({ output_type: "stream", name, text: kept });
  }
}

/** A notebook holds JSON as JSON; everything else as text. */
function ofMime(mime: string, value: string): unknown {
  if (mime !== "application/json") return value;
  try {
    return JSON.parse(value);
  } catch {
    return value;
  }
}
