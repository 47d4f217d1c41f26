import { type BigIntStats, constants } from "node:fs";
import { lstat, open, rename } from "node:fs/promises";
import { join } from "node:path";
import { writeFileBelow } from "../../workspace/write-file.ts";
import type { CellOutputs } from "./cell-outputs.ts";

export const NOTEBOOK_PATH = ".sealwork/session.ipynb";
/** Where a file goes that lies in the notebook's place and is none. */
const REPLACED_PATH = ".sealwork/session-replaced.ipynb";
/** The whole file; cells beyond it come without their outputs, then not at all. */
const NOTEBOOK_MAX_BYTES = 16 * 1024 * 1024;
/** People may have made it larger than that; from here on it is theirs alone. */
const READ_MAX_BYTES = 64 * 1024 * 1024;
const CELLS_MAX = 5_000;
/** Somebody may write the file between the look at it and the write. */
const WRITE_ATTEMPTS_MAX = 3;

/** Jupyter Lab finds the agent's own kernel by this name (images/desktop: sealwork_jupyter/kernels.py). */
const KERNELSPEC = { display_name: "Agent session", language: "python", name: "sealwork-session" };
const METADATA = JSON.stringify({ kernelspec: KERNELSPEC, language_info: { name: "python" } });

/**
 * All cells of a session, as a notebook in the workspace that people open in Jupyter. They may edit it there: what they saved is kept as it
 * is, and cells are only ever added at its end. When it was removed it is written anew with the cells that it had.
 */
export class Notebook {
  readonly #workspace: string;
  /** Each cell as JSON, and what the file says of itself. */
  #cells: string[] = [];
  #metadata = METADATA;
  #ids = new Set<unknown>();
  /** The file as it was when it was last read or written. */
  #known: string | null = null;

  constructor(options: { workspace: string }) {
    this.#workspace = options.workspace;
  }

  /** Adds a cell and writes the file. A notebook that cannot be written is no reason for a step to fail: what its cells did is done. */
  async add(code: string, count: number | null, outputs: CellOutputs): Promise<void> {
    for (let attempt = 1; ; attempt += 1) {
      if (!(await this.#takeIn().catch(() => false))) return;
      const cell = this.#cell(code, count, outputs);
      if (cell === null) return;
      const { id, json } = cell;
      const cells = [...this.#cells, json];
      const content = `{"cells":[\n${cells.join(",\n")}\n],"metadata":${this.#metadata},"nbformat":4,"nbformat_minor":5}\n`;
      if (attempt < WRITE_ATTEMPTS_MAX && (await this.#version()) !== this.#known) continue;
      this.#cells = cells;
      this.#ids.add(id);
      await writeFileBelow(this.#workspace, NOTEBOOK_PATH, Buffer.from(content)).catch(() => undefined);
      this.#known = await this.#version();
      return;
    }
  }

  /** The cell as it fits into the file: without its outputs when it must be, null when it does not. */
  #cell(code: string, count: number | null, outputs: CellOutputs): { id: string; json: string } | null {
    if (this.#cells.length >= CELLS_MAX) return null;
    const id = this.#freeId();
    const cell = { cell_type: "code", id, metadata: {}, execution_count: count, source: code };
    const left_out = [{ output_type: "stream", name: "stdout", text: "(left out)" }];
    const room = NOTEBOOK_MAX_BYTES - this.#cells.reduce((bytes, one) => bytes + one.length, 0);
    for (const shown of [outputs.list(count), left_out]) {
      const json = JSON.stringify({ ...cell, outputs: shown });
      if (json.length <= room) return { id, json };
    }
    return null;
  }

  #freeId(): string {
    let number = this.#cells.length + 1;
    while (this.#ids.has(`cell-${number}`)) number += 1;
    return `cell-${number}`;
  }

  /** Takes in what others made of the file. False when nothing can be added to it. */
  async #takeIn(): Promise<boolean> {
    const version = await this.#version();
    if (version !== null && version !== this.#known) {
      const text = await this.#read();
      if (text === null) return false;
      const found = notebookIn(text);
      if (found === null) {
        await rename(join(this.#workspace, NOTEBOOK_PATH), join(this.#workspace, REPLACED_PATH));
        this.#known = null;
        return true;
      }
      this.#cells = found.cells.map((cell) => JSON.stringify(cell));
      this.#ids = new Set(found.cells.map((cell) => cell.id));
      this.#metadata = JSON.stringify(found.metadata);
    }
    this.#known = version;
    return true;
  }

  /** Null for what is no file to read, or too large. */
  async #read(): Promise<string | null> {
    const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = constants;
    await using file = await open(join(this.#workspace, NOTEBOOK_PATH), O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    const stat = await file.stat();
    return stat.isFile() && stat.size <= READ_MAX_BYTES ? file.readFile("utf8") : null;
  }

  /** What tells one state of the file from another; null when there is none. */
  async #version(): Promise<string | null> {
    const stat: BigIntStats | null = await lstat(join(this.#workspace, NOTEBOOK_PATH), {
      bigint: true,
    }).catch(() => null);
    return stat === null ? null : `${stat.ino} ${stat.size} ${stat.mtimeNs} ${stat.ctimeNs}`;
  }
}

type Cell = { id?: unknown };

/** The cells of a notebook in format 4, as they stand in it; null for anything else. */
function notebookIn(text: string): { cells: Cell[]; metadata: object } | null {
  try {
    const { nbformat, cells, metadata } = JSON.parse(text);
    if (nbformat !== 4 || !Array.isArray(cells) || !cells.every(isObject) || !isObject(metadata)) return null;
    return { cells: named(cells), metadata };
  } catch {
    return null;
  }
}

/** Each with an id of its own, which notebooks of minor versions before 5 lack. */
function named(cells: Cell[]): Cell[] {
  const ids = new Set(cells.map((cell) => cell.id));
  return cells.map((cell, index) => {
    if (typeof cell.id === "string") return cell;
    let id = `kept-${index + 1}`;
    while (ids.has(id)) id = `${id}-`;
    return { ...cell, id };
  });
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
