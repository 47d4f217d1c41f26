import { useQuery } from "@tanstack/react-query";
import { LoaderCircle } from "lucide-react";
import { useDeferredValue } from "react";
import type { FileEntry } from "../../../../src/contract/link-answers.ts";
import { visibleLine } from "../../text/visible-text.ts";
import { Empty } from "../../ui/empty.tsx";
import { EntryIcon } from "./file-tree.tsx";
import { folderOf, listFolder, nameOf, type Place } from "./folders.ts";

/** Folders that are looked into for one list of names, and names that are kept of them. */
const FOLDERS_MAX = 300;
const ENTRIES_MAX = 20_000;
const SHOWN_MAX = 200;
/** What programs put there, and nobody looks for first. */
const LAST = new Set(["node_modules", ".git", ".venv", "__pycache__", ".cache"]);

type Names = { entries: FileEntry[]; complete: boolean };

/** Files whose name or path has the text in it. */
export function FileSearch({
  place,
  text,
  onSelect,
}: {
  place: Place;
  text: string;
  onSelect: (entry: FileEntry) => void;
}) {
  const wanted = useDeferredValue(text.trim().toLowerCase());
  const { data, isFetching } = useQuery({
    queryKey: ["file names", place.job_id, place.root, place.live],
    queryFn: ({ signal }) => allNames(place, signal),
    staleTime: 10_000,
    gcTime: 60_000,
  });
  const found = (data?.entries ?? []).filter(({ path }) => path.toLowerCase().includes(wanted));
  return (
    <div className="flex min-h-0 flex-1 flex-col overflow-y-auto py-1">
      {isFetching && (
        <p role="status" className="flex items-center gap-2 px-3 py-1 text-quiet text-xs">
          <LoaderCircle className="size-3.5 animate-spin" />
          Looking through the folders…
        </p>
      )}
      <ul aria-label="Found files">
        {found.slice(0, SHOWN_MAX).map((entry) => (
          <li key={entry.path}>
            <button
              type="button"
              onClick={() => onSelect(entry)}
              className="flex w-full items-center gap-1.5 px-3 py-1 text-left text-sm hover:bg-hover focus-visible:outline-offset-[-2px]"
            >
              <EntryIcon entry={entry} />
              <span className="untrusted min-w-0 truncate">{visibleLine(nameOf(entry.path))}</span>
              <span className="untrusted ml-auto min-w-0 shrink-[4] truncate text-quiet text-xs">
                {visibleLine(folderOf(entry.path))}
              </span>
            </button>
          </li>
        ))}
      </ul>
      {data !== undefined && found.length === 0 && <Empty title="Nothing has that in its name" />}
      <p className="px-3 py-1 text-quiet text-xs">
        {found.length > SHOWN_MAX && `The first ${SHOWN_MAX} of ${found.length.toLocaleString()} are shown. `}
        {data?.complete === false && "There are more folders than were looked into."}
      </p>
    </div>
  );
}

/** Near folders before far ones, as a person would look. */
async function allNames(place: Place, signal: AbortSignal): Promise<Names> {
  const due = [""];
  const late: string[] = [];
  const entries: FileEntry[] = [];
  let folders = 0;
  while (folders < FOLDERS_MAX && entries.length < ENTRIES_MAX) {
    const folder = due.shift() ?? late.shift();
    if (folder === undefined) return { entries, complete: true };
    folders += 1;
    const list = await listFolder(place, folder, signal).catch((error: unknown) => {
      // One that has gone meanwhile, or may not be read, has no names.
      if (signal.aborted || folder === "") throw error;
      return null;
    });
    for (const entry of list?.entries ?? []) {
      entries.push(entry);
      if (entry.type === "folder") (LAST.has(nameOf(entry.path)) ? late : due).push(entry.path);
    }
  }
  return { entries, complete: false };
}
