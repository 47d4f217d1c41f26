import { join } from "node:path";
import { writeFileBelow } from "../../workspace/write-file.ts";
import { readText } from "../files/file-content.ts";
import type { CellOutput } from "./kernel-line.ts";

const PATH = ".sealwork/session.ipynb";
/** The whole file; cells beyond it come without their outputs, then not at all. */
const NOTEBOOK_MAX_BYTES = 16 * 1024 * 1024;
const CELLS_MAX = 5_000;
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

/** All cells of a session, as a notebook in the workspace that Jupyter opens. */
export class Notebook {
  readonly #workspace: string;
  /** Each cell as JSON. */
  #cells: string[] | null = null;
  #bytes = 0;

  constructor(options: { workspace: string }) {
    this.#workspace = options.workspace;
  }

  /** Adds a cell and writes the file. A notebook that cannot be written is no reason for a step to fail: what its cells did is done. */
  async add(code: string, count: number | null, outputs: CellOutputs): Promise<void> {
    this.#cells ??= await this.#earlier();
    if (this.#cells.length >= CELLS_MAX) return;
    const cell = {
      cell_type: "code",
      id: `cell-${this.#cells.length + 1}`,
      metadata: {},
      execution_count: count,
      source: code,
      outputs: outputs.list(count),
    };
    const whole = JSON.stringify(cell);
    const json = this.#fits(whole)
      ? whole
      : JSON.stringify({ ...cell, outputs: [{ output_type: "stream", name: "stdout", text: "(left out)" }] });
    if (!this.#fits(json)) return;
    this.#bytes += json.length;
    this.#cells.push(json);
    const content = `{"cells":[\n${this.#cells.join(",\n")}\n],"metadata":${METADATA},"nbformat":4,"nbformat_minor":5}\n`;
    await writeFileBelow(this.#workspace, PATH, Buffer.from(content)).catch(() => undefined);
  }

  #fits(json: string): boolean {
    return this.#bytes + json.length <= NOTEBOOK_MAX_BYTES;
  }

  /** The cells of a session that this one goes on from. */
  async #earlier(): Promise<string[]> {
    const read = await readText(join(this.#workspace, PATH), PATH);
    if (typeof read === "string") return [];
    try {
      const { cells } = JSON.parse(read.text) as { cells?: unknown };
      const kept = Array.isArray(cells) ? cells.slice(0, CELLS_MAX).map((cell) => JSON.stringify(cell)) : [];
      this.#bytes = kept.reduce((bytes, cell) => bytes + cell.length, 0);
      return kept;
    } catch {
      return [];
    }
  }
}

const METADATA = JSON.stringify({
  kernelspec: { display_name: "Python 3", language: "python", name: "python3" },
  language_info: { name: "python" },
});

/** A notebook holds JSON as JSON; everything else as text. */
function ofMime(mime: string, value: string): unknown {
  if (mime !== "application/json") return value;
  try {
    return JSON.parse(value);
  } catch {
    return value;
  }
}
