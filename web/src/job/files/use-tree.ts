import { useQueries, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useEvents } from "../../feed/use-feed.ts";
import type { Change } from "../changes/change-look.ts";
import type { EventOf } from "../events/job-events.ts";
import { allFolders, folderOf, folderQuery, type Place } from "./folders.ts";
import { type TreeRow, treeRows } from "./tree-rows.ts";

type Tree = {
  rows: TreeRow[];
  error: unknown;
  /** What the agent changed since this page shows the files, by path. */
  changed: ReadonlyMap<string, Change>;
  setOpen(folder: string, open: boolean): void;
  /** Asks for a folder again, or for all. */
  renew(folder?: string): void;
};

/** The folders of a job as far as they are open, kept true by what the agent's steps are told to have changed. */
export function useTree(place: Place): Tree {
  const client = useQueryClient();
  const [open, setOpen] = useState<ReadonlySet<string>>(() => new Set());
  const [changed, setChanged] = useState<ReadonlyMap<string, Change>>(() => new Map());
  const folders = ["", ...open];
  const states = useQueries({ queries: folders.map((folder) => folderQuery(place, folder)) });
  const renew = (folder?: string): void => {
    const { queryKey } = folder === undefined ? allFolders(place) : folderQuery(place, folder);
    void client.invalidateQueries({ queryKey });
  };
  useEvents((events) => {
    if (!place.live || place.root !== "workspace") return;
    const mine = events.filter(
      (event): event is EventOf<"file.changed"> =>
        event.type === "file.changed" && event.job_id === place.job_id,
    );
    if (mine.length === 0) return;
    setChanged((old) => new Map([...old, ...mine.map(({ data }) => [data.path, data.change] as const)]));
    // A new file may have come with the folders above it.
    for (const folder of new Set(mine.flatMap(({ data }) => foldersAbove(data.path)))) renew(folder);
  });
  const known = new Map(folders.map((folder, index) => [folder, states[index]]));
  const stateOf = (folder: string) => {
    const state = known.get(folder);
    return { list: state?.data, failed: state?.isError === true };
  };
  return {
    rows: treeRows(open, stateOf),
    error: states[0]?.data === undefined ? (states[0]?.error ?? null) : null,
    changed,
    renew,
    setOpen: (folder, wanted) => {
      const next = new Set(open);
      if (wanted) next.add(folder);
      else next.delete(folder);
      setOpen(next);
    },
  };
}

function foldersAbove(path: string): string[] {
  const above: string[] = [];
  for (let folder = folderOf(path); ; folder = folderOf(folder)) {
    above.push(folder);
    if (folder === "") return above;
  }
}
