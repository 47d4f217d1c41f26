import { nameOf } from "./folders.ts";

/** How a file is shown, beside as what it is; `plain` is text or bytes, as its content says. */
export type FileKind = "picture" | "markdown" | "table" | "notebook" | "plain";

const KINDS: Record<string, FileKind> = {
  png: "picture",
  jpg: "picture",
  jpeg: "picture",
  gif: "picture",
  webp: "picture",
  svg: "picture",
  md: "markdown",
  markdown: "markdown",
  csv: "table",
  tsv: "table",
  ipynb: "notebook",
};

export function fileKind(path: string): FileKind {
  const ending = endingOf(path);
  return Object.hasOwn(KINDS, ending) ? (KINDS[ending] ?? "plain") : "plain";
}

export function endingOf(path: string): string {
  const name = nameOf(path);
  const dot = name.lastIndexOf(".");
  return dot < 0 ? "" : name.slice(dot + 1).toLowerCase();
}
