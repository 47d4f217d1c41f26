import type { FileEntry, FileList } from "../../../../src/contract/link-answers.ts";

/** A line of the tree: something that is there, or what stands for a folder's content. */
export type TreeRow =
  | { kind: "entry"; entry: FileEntry; depth: number; open: boolean }
  | { kind: "note"; folder: string; depth: number; note: "loading" | "empty" | "truncated" | "failed" };

export type FolderState = { list: FileList | undefined; failed: boolean };

/** The open folders as the lines of a tree, from the root on. */
export function treeRows(open: ReadonlySet<string>, stateOf: (folder: string) => FolderState): TreeRow[] {
  const rows: TreeRow[] = [];
  const add = (folder: string, depth: number): void => {
    const { list, failed } = stateOf(folder);
    const note = (text: Extract<TreeRow, { kind: "note" }>["note"]): void => {
      rows.push({ kind: "note", folder, depth, note: text });
    };
    if (list === undefined) note(failed ? "failed" : "loading");
    for (const entry of list?.entries ?? []) {
      const is_open = entry.type === "folder" && open.has(entry.path);
      rows.push({ kind: "entry", entry, depth, open: is_open });
      if (is_open) add(entry.path, depth + 1);
    }
    if (list?.truncated) note("truncated");
    else if (list?.entries.length === 0) note("empty");
  };
  add("", 0);
  return rows;
}
