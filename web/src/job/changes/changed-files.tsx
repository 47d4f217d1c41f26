import { useVirtualizer } from "@tanstack/react-virtual";
import clsx from "clsx";
import { ChevronRight } from "lucide-react";
import { type ReactNode, useRef, useState } from "react";
import { visibleLine } from "../../text/visible-text.ts";
import { Button } from "../../ui/button.tsx";
import { CopyButton } from "../../ui/copy-button.tsx";
import { DiffStat } from "../../ui/diff.tsx";
import type { DiffCounts } from "../../ui/diff-lines.ts";
import { CHANGE_LOOKS, type Change } from "./change-look.ts";

export type ShownFile = {
  key: string;
  path: string;
  change: Change;
  note: string | null;
  /** Null where lines say nothing. */
  counts: DiffCounts | null;
  /** What is shown when it is open. */
  content(): ReactNode;
};

const HEAD_PX = 46;

/** Files one below the other, each to be opened; only those that can be seen exist. `open` says how they begin. */
export function ChangedFiles({
  head,
  foot,
  files,
  open,
}: {
  head: ReactNode;
  foot?: ReactNode;
  files: readonly ShownFile[];
  open: boolean;
}) {
  const box = useRef<HTMLDivElement>(null);
  /** Those that are otherwise than they began. */
  const [turned, setTurned] = useState<ReadonlySet<string>>(new Set());
  const [all_open, setAllOpen] = useState(open);
  const rows = useVirtualizer({
    count: files.length,
    getScrollElement: () => box.current,
    estimateSize: () => HEAD_PX,
    getItemKey: (index) => files[index]?.key ?? index,
    overscan: 4,
  });
  const turn = (key: string): void => {
    const next = new Set(turned);
    if (!next.delete(key)) next.add(key);
    setTurned(next);
  };
  return (
    <div ref={box} className="min-h-0 flex-1 overflow-y-auto [overflow-anchor:none]">
      <div className="flex flex-wrap items-center gap-x-3 gap-y-2 px-4 pt-4 pb-1">
        {head}
        {files.length > 1 && (
          <Button
            look="ghost"
            size="sm"
            onClick={() => {
              setAllOpen(!all_open);
              setTurned(new Set());
            }}
          >
            {all_open ? "Close all" : "Open all"}
          </Button>
        )}
      </div>
      {foot !== undefined && <div className="px-4 pb-1">{foot}</div>}
      <div className="relative mx-4 mt-2 mb-4" style={{ height: rows.getTotalSize() }}>
        {rows.getVirtualItems().map(({ key, index, start }) => {
          const file = files[index];
          if (file === undefined) return null;
          const is_open = all_open !== turned.has(file.key);
          return (
            <div
              key={key}
              ref={rows.measureElement}
              data-index={index}
              className="absolute inset-x-0 pb-2"
              style={{ transform: `translateY(${start}px)` }}
            >
              <FileSection file={file} open={is_open} onTurn={() => turn(file.key)} />
            </div>
          );
        })}
      </div>
    </div>
  );
}

function FileSection({ file, open, onTurn }: { file: ShownFile; open: boolean; onTurn: () => void }) {
  const { letter, colour, word } = CHANGE_LOOKS[file.change];
  return (
    <section aria-label={file.path} className="overflow-hidden rounded-md border">
      <div className={clsx("flex items-center gap-2 bg-sunken pr-1.5", open && "border-b")}>
        <button
          type="button"
          aria-expanded={open}
          onClick={onTurn}
          className="flex min-w-0 flex-1 items-center gap-2 py-2 pl-2 text-left focus-visible:outline-offset-[-2px]"
        >
          <ChevronRight
            aria-hidden
            className={clsx("size-4 shrink-0 text-quiet transition-transform", open && "rotate-90")}
          />
          <span title={word} className={clsx("w-3 shrink-0 font-mono font-semibold text-xs", colour)}>
            {letter}
          </span>
          <span className="untrusted min-w-0 truncate font-mono text-xs" title={file.path}>
            {visibleLine(file.path)}
          </span>
          {file.note !== null && <span className="shrink-0 text-2xs text-quiet">{file.note}</span>}
        </button>
        {file.counts !== null && <DiffStat {...file.counts} />}
        <CopyButton text={file.path} label="Copy the path" />
      </div>
      {open && file.content()}
    </section>
  );
}
