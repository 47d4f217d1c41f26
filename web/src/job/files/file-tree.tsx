import { useVirtualizer } from "@tanstack/react-virtual";
import clsx from "clsx";
import {
  ChevronRight,
  CornerDownRight,
  File,
  FileImage,
  FileText,
  Folder,
  FolderOpen,
  LoaderCircle,
} from "lucide-react";
import { type KeyboardEvent, type ReactNode, useEffect, useId, useRef, useState } from "react";
import type { FileEntry } from "../../../../src/contract/link-answers.ts";
import { formatSize } from "../../../../src/contract/units.ts";
import { visibleLine } from "../../text/visible-text.ts";
import type { Change } from "../changes/change-look.ts";
import { fileKind } from "./file-kind.ts";
import { nameOf } from "./folders.ts";
import type { TreeRow } from "./tree-rows.ts";

const ROW_PX = 28;
const INDENT_PX = 14;
const NOTES = {
  loading: "Loading…",
  empty: "Empty",
  truncated: "More than can be listed",
  failed: "Cannot be read",
};

/** Files as a tree, of which only what is in view is on the page; by keyboard as trees are (arrows, Enter, F2, Delete). */
export function FileTree({
  rows,
  selected,
  changed,
  onSelect,
  onOpen,
  onRename,
  onDelete,
  menu,
}: {
  rows: TreeRow[];
  selected: string | null;
  changed: ReadonlyMap<string, Change>;
  onSelect: (entry: FileEntry) => void;
  onOpen: (folder: string, open: boolean) => void;
  onRename: ((entry: FileEntry) => void) | null;
  onDelete: ((entry: FileEntry) => void) | null;
  menu: (entry: FileEntry) => ReactNode;
}) {
  const scroller = useRef<HTMLDivElement>(null);
  const names = useId();
  const [active, setActive] = useState<string | null>(null);
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => ROW_PX,
    overscan: 12,
  });
  const at = rows.findIndex((row) => row.kind === "entry" && row.entry.path === active);
  useEffect(() => {
    if (at >= 0) virtual.scrollToIndex(at);
  }, [at, virtual]);

  const go = (from: number, step: 1 | -1): void => {
    for (let index = from; index >= 0 && index < rows.length; index += step) {
      const row = rows[index];
      if (row?.kind !== "entry") continue;
      setActive(row.entry.path);
      return;
    }
  };
  const onKey = (event: KeyboardEvent): void => {
    const row = rows[at];
    const entry = row?.kind === "entry" ? row.entry : null;
    const is_folder = entry?.type === "folder";
    const is_open = row?.kind === "entry" && row.open;
    const acts: Record<string, () => void> = {
      ArrowDown: () => go(at + 1, 1),
      ArrowUp: () => go(at < 0 ? 0 : at - 1, -1),
      Home: () => go(0, 1),
      End: () => go(rows.length - 1, -1),
      ArrowRight: () => is_folder && entry !== null && (is_open ? go(at + 1, 1) : onOpen(entry.path, true)),
      ArrowLeft: () => {
        if (is_open && entry !== null) onOpen(entry.path, false);
        else if (row !== undefined && row.depth > 0)
          go(
            rows.findLastIndex((one, index) => index < at && one.depth < row.depth),
            -1,
          );
      },
      Enter: () => {
        if (entry === null) return;
        onSelect(entry);
        if (is_folder) onOpen(entry.path, !is_open);
      },
      F2: () => entry !== null && onRename?.(entry),
      Delete: () => entry !== null && onDelete?.(entry),
    };
    const act = acts[event.key === " " ? "Enter" : event.key];
    if (act === undefined || event.target !== event.currentTarget) return;
    event.preventDefault();
    act();
  };
  return (
    <div
      ref={scroller}
      role="tree"
      aria-label="Files"
      tabIndex={0}
      data-keys="own"
      aria-activedescendant={at >= 0 ? `${names}-${at}` : undefined}
      onKeyDown={onKey}
      onFocus={() => at < 0 && go(0, 1)}
      className="group/tree min-h-0 flex-1 overflow-y-auto py-1 focus-visible:outline-offset-[-2px]"
    >
      <div role="presentation" className="relative" style={{ height: virtual.getTotalSize() }}>
        {virtual.getVirtualItems().map((item) => {
          const row = rows[item.index];
          if (row === undefined) return null;
          const style = { transform: `translateY(${item.start}px)`, height: ROW_PX };
          const indent = { paddingLeft: 10 + row.depth * INDENT_PX };
          if (row.kind === "note")
            return (
              <div
                key={`note ${row.folder}`}
                role="none"
                style={{ ...style, ...indent }}
                className="absolute inset-x-0 flex items-center gap-1.5 pl-8 text-quiet text-xs italic"
              >
                {row.note === "loading" && <LoaderCircle className="size-3.5 animate-spin" />}
                <span className="pl-5">{NOTES[row.note]}</span>
              </div>
            );
          const { entry } = row;
          const is_selected = entry.path === selected;
          const change = changed.get(entry.path);
          return (
            <div
              key={entry.path}
              id={`${names}-${item.index}`}
              role="treeitem"
              tabIndex={-1}
              aria-level={row.depth + 1}
              aria-selected={is_selected}
              {...(entry.type === "folder" && { "aria-expanded": row.open })}
              style={style}
              className={clsx(
                "absolute inset-x-0 flex items-center",
                is_selected ? "bg-accent-soft text-accent" : "hover:bg-hover",
                entry.path === active &&
                  "group-focus-visible/tree:shadow-[inset_2px_0_0_var(--color-accent)]",
              )}
            >
              {/* biome-ignore lint/a11y/noStaticElementInteractions: the tree takes the keys for its items. */}
              {/* biome-ignore lint/a11y/useKeyWithClickEvents: the tree takes the keys for its items. */}
              <div
                style={indent}
                onClick={() => {
                  setActive(entry.path);
                  onSelect(entry);
                  if (entry.type === "folder") onOpen(entry.path, !row.open);
                }}
                className="flex h-full min-w-0 flex-1 cursor-default items-center gap-1.5 text-sm [&_svg]:shrink-0"
              >
                <ChevronRight
                  aria-hidden
                  className={clsx(
                    "size-3.5 text-quiet transition-transform",
                    row.open && "rotate-90",
                    entry.type !== "folder" && "invisible",
                  )}
                />
                <EntryIcon entry={entry} open={row.open} />
                <span className={clsx("untrusted truncate", is_selected && "font-medium")}>
                  {visibleLine(nameOf(entry.path))}
                </span>
                {change !== undefined && (
                  <span
                    title={
                      change === "created" ? "The agent made it just now" : "The agent changed it just now"
                    }
                    className="shrink-0 rounded-sm bg-accent-soft px-1 text-2xs text-accent"
                  >
                    {change === "created" ? "new" : "changed"}
                  </span>
                )}
                <span className="tabular ml-auto shrink-0 pl-2 text-2xs text-quiet">
                  {entry.type === "file" && formatSize(entry.size_bytes)}
                </span>
              </div>
              <div className="shrink-0 pr-1">{menu(entry)}</div>
            </div>
          );
        })}
      </div>
    </div>
  );
}

export function EntryIcon({ entry, open = false }: { entry: FileEntry; open?: boolean }) {
  const look = "size-4 text-quiet";
  if (entry.type === "folder")
    return open ? <FolderOpen aria-hidden className={look} /> : <Folder aria-hidden className={look} />;
  if (entry.type === "symlink") return <CornerDownRight aria-hidden className={look} />;
  const kind = fileKind(entry.path);
  if (kind === "picture") return <FileImage aria-hidden className={look} />;
  return kind === "plain" ? <File aria-hidden className={look} /> : <FileText aria-hidden className={look} />;
}
