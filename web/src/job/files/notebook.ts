/** A notebook as far as it is shown: text and pictures, nothing that runs. */
export type Cell = {
  kind: "code" | "markdown" | "raw";
  count: number | null;
  source: string;
  outputs: Output[];
};
export type Output = { kind: "text"; text: string; is_error: boolean } | { kind: "picture"; address: string };

export const CELLS_MAX = 500;
const OUTPUTS_MAX = 50;
const TEXT_MAX_CHARS = 20_000;
const PICTURE_MAX_CHARS = 8 * 1024 * 1024;
const PICTURES = ["image/png", "image/jpeg", "image/gif"] as const;

/** Reads the JSON of a notebook (nbformat 4); null for what is none. Whatever is not as it should be is left out. */
export function readNotebook(text: string): { cells: Cell[]; language: string; truncated: boolean } | null {
  const book = parsed(text);
  const cells = array(field(book, "cells"));
  if (cells === null) return null;
  const info = field(field(book, "metadata"), "language_info");
  return {
    cells: cells.slice(0, CELLS_MAX).map(readCell),
    language: string(field(info, "name")) ?? "python",
    truncated: cells.length > CELLS_MAX,
  };
}

function readCell(cell: unknown): Cell {
  const type = field(cell, "cell_type");
  const count = field(cell, "execution_count");
  return {
    kind: type === "code" || type === "markdown" ? type : "raw",
    count: typeof count === "number" ? count : null,
    source: lines(field(cell, "source")),
    outputs: (array(field(cell, "outputs")) ?? []).slice(0, OUTPUTS_MAX).flatMap(readOutput),
  };
}

function readOutput(output: unknown): Output[] {
  if (field(output, "output_type") === "error") {
    const trace = array(field(output, "traceback"))?.map((line) => string(line) ?? "");
    const text = trace?.join("\n") ?? `${string(field(output, "ename"))}: ${string(field(output, "evalue"))}`;
    return [{ kind: "text", text: text.slice(0, TEXT_MAX_CHARS), is_error: true }];
  }
  const stream = lines(field(output, "text"));
  if (stream !== "")
    return [
      { kind: "text", text: stream.slice(0, TEXT_MAX_CHARS), is_error: field(output, "name") === "stderr" },
    ];
  const data = field(output, "data");
  for (const type of PICTURES) {
    const encoded = lines(field(data, type)).replaceAll(/\s/g, "");
    if (encoded !== "" && encoded.length <= PICTURE_MAX_CHARS && /^[A-Za-z0-9+/]+=*$/.test(encoded))
      return [{ kind: "picture", address: `data:${type};base64,${encoded}` }];
  }
  const plain = lines(field(data, "text/plain"));
  return plain === "" ? [] : [{ kind: "text", text: plain.slice(0, TEXT_MAX_CHARS), is_error: false }];
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function field(value: unknown, name: string): unknown {
  if (typeof value !== "object" || value === null || !Object.hasOwn(value, name)) return undefined;
  return Object.getOwnPropertyDescriptor(value, name)?.value;
}

function array(value: unknown): unknown[] | null {
  return Array.isArray(value) ? value : null;
}

function string(value: unknown): string | null {
  return typeof value === "string" ? value : null;
}

/** Texts of a notebook are one string, or a list of lines. */
function lines(value: unknown): string {
  return string(value) ?? (array(value) ?? []).map((line) => string(line) ?? "").join("");
}
