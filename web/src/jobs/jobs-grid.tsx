import { useElementScrollRestoration } from "@tanstack/react-router";
import { defaultRangeExtractor, useVirtualizer } from "@tanstack/react-virtual";
import clsx from "clsx";
import { ArrowUp } from "lucide-react";
import { type KeyboardEvent, useEffect, useLayoutEffect, useRef, useState } from "react";
import type { Job } from "../../../src/contract/job.ts";
import type { JobsFilter } from "../api/job-lists.ts";
import { useShortcut } from "../app/shortcuts.ts";
import { isOver, useJobActions } from "./job-actions.tsx";
import { COLUMNS, HEADINGS, NarrowRow, WideRow } from "./job-row.tsx";
import { useNewFirst } from "./new-first.ts";
import { useWide } from "./use-wide.ts";

const WIDE_ROW_PX = 40;
const NARROW_ROW_PX = 60;
const HEAD_PX = 32;
/** Rows beyond those that are seen; and how near the end the next page is asked for. */
const OVERSCAN = 12;
const AHEAD = 40;
const PAGE_ROWS = 10;
/** A job that is younger slides in. */
const FRESH_MS = 3_000;
const SCROLL_ID = "jobs";

type Props = {
  jobs: readonly Job[];
  /** What these were asked for by; it stays the same. */
  filter: JobsFilter;
  /** Whether there are older ones, which `onEnd` loads. */
  has_more: boolean;
  onEnd: () => void;
  /** The list is of another filter than the one that is asked for now. */
  dim: boolean;
};

/** A list of any length, of which only what is seen is there; gone through by keyboard. */
export function JobsGrid({ jobs, filter, has_more, onEnd, dim }: Props) {
  const wide = useWide();
  const scroller = useRef<HTMLDivElement>(null);
  const restored = useElementScrollRestoration({ id: SCROLL_ID });
  const [at_top, setAtTop] = useState(isAtTop(restored?.scrollY));
  const { shown, held, show } = useNewFirst(jobs, { at_top, filter });
  const [current_id, setCurrent] = useState<string | null>(null);
  const current = Math.max(
    0,
    shown.findIndex((job) => job.job_id === current_id),
  );
  const head = wide ? HEAD_PX : 0;
  const rows = useVirtualizer({
    count: shown.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => (wide ? WIDE_ROW_PX : NARROW_ROW_PX),
    getItemKey: (index) => shown[index]?.job_id ?? index,
    overscan: OVERSCAN,
    paddingStart: head,
    scrollPaddingStart: head,
    initialOffset: restored?.scrollY ?? 0,
    // The current row stays, or the keyboard would lose its place when it is scrolled away.
    rangeExtractor: (range) => {
      const indexes = defaultRangeExtractor(range);
      if (current < shown.length && !indexes.includes(current)) indexes.push(current);
      return indexes.sort((a, b) => a - b);
    },
    onChange: ({ scrollOffset }) => setAtTop(isAtTop(scrollOffset)),
  });
  // biome-ignore lint/correctness/useExhaustiveDependencies: Rows have another height from one width to the other.
  useLayoutEffect(() => rows.measure(), [wide]);

  const items = rows.getVirtualItems();
  const last = items.at(-1)?.index ?? 0;
  useEffect(() => {
    if (has_more && last >= shown.length - AHEAD) onEnd();
  }, [has_more, last, shown.length, onEnd]);

  const goTo = (index: number): void => {
    const to = shown[Math.min(Math.max(index, 0), shown.length - 1)];
    if (to === undefined) return;
    setCurrent(to.job_id);
    rows.scrollToIndex(shown.indexOf(to), { align: "auto" });
    wanted.current = to.job_id;
  };
  const wanted = useRef<string | null>(null);
  useLayoutEffect(() => {
    if (wanted.current === null) return;
    const link = scroller.current?.querySelector<HTMLElement>(`[data-job="${CSS.escape(wanted.current)}"]`);
    wanted.current = null;
    link?.focus({ preventScroll: true });
  });

  useListKeys({ jobs: shown, current, current_id, goTo });
  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.altKey || event.ctrlKey || event.metaKey || event.target instanceof HTMLButtonElement) return;
    const to = targetOf(event.key, current, shown.length);
    if (to === null) return;
    event.preventDefault();
    goTo(to);
  };
  const Row = wide ? WideRow : NarrowRow;
  return (
    <div className="relative flex min-h-0 flex-1 flex-col bg-panel">
      {held > 0 && (
        <button
          type="button"
          onClick={() => {
            show();
            rows.scrollToOffset(0);
          }}
          className="-translate-x-1/2 absolute top-10 left-1/2 z-20 flex h-8 items-center gap-1.5 rounded-full bg-accent px-3.5 font-medium text-accent-ink text-sm shadow-pop transition-opacity starting:opacity-0"
        >
          <ArrowUp aria-hidden className="size-4" />
          {held === 1 ? "1 new job" : `${held} new jobs`}
        </button>
      )}
      <div
        ref={scroller}
        data-scroll-restoration-id={SCROLL_ID}
        className={clsx(
          "min-h-0 flex-1 overflow-y-auto overscroll-contain transition-opacity",
          dim && "opacity-60",
        )}
      >
        <table
          // biome-ignore lint/a11y/noNoninteractiveElementToInteractiveRole: A grid is what ARIA has for a table that is gone through by keyboard.
          role="grid"
          aria-label="Jobs"
          aria-rowcount={has_more ? -1 : shown.length + 1}
          aria-busy={dim}
          onKeyDown={onKeyDown}
          className="block"
        >
          <thead className="sticky top-0 z-10 block border-b bg-panel px-4 max-md:hidden">
            <tr aria-rowindex={1} className={clsx(COLUMNS, "h-8 text-left font-medium text-quiet text-xs")}>
              {HEADINGS.map(({ text, className }) => (
                <th key={text} scope="col" className={clsx("font-medium", className)}>
                  {text}
                </th>
              ))}
              <th scope="col">
                <span className="sr-only">Actions</span>
              </th>
            </tr>
          </thead>
          <tbody className="relative block" style={{ height: rows.getTotalSize() - head }}>
            {items.map(({ index, key, start, size }) => {
              const job = shown[index];
              if (job === undefined) return null;
              return (
                <tr
                  key={key}
                  aria-rowindex={index + 2}
                  onFocus={() => setCurrent(job.job_id)}
                  style={{ height: size, transform: `translateY(${start - head}px)` }}
                  className={clsx(
                    "absolute inset-x-0 top-0 border-b px-4 transition-transform duration-200 ease-out hover:bg-hover has-focus-visible:bg-hover",
                    wide ? COLUMNS : "flex items-center gap-2",
                    Date.now() - Date.parse(job.timings.scheduled_at) < FRESH_MS &&
                      "transition-[transform,opacity] starting:opacity-0",
                  )}
                >
                  <Row job={job} current={index === current} />
                </tr>
              );
            })}
          </tbody>
        </table>
      </div>
    </div>
  );
}

function isAtTop(offset: number | null | undefined): boolean {
  return (offset ?? 0) < WIDE_ROW_PX / 2;
}

/** Which row a key leads to; null for all other keys. */
function targetOf(key: string, current: number, count: number): number | null {
  switch (key) {
    case "ArrowDown":
      return current + 1;
    case "ArrowUp":
      return current - 1;
    case "PageDown":
      return current + PAGE_ROWS;
    case "PageUp":
      return current - PAGE_ROWS;
    case "Home":
      return 0;
    case "End":
      return count - 1;
    default:
      return null;
  }
}

/** Keys that work without going into the list first. */
function useListKeys(list: {
  jobs: readonly Job[];
  current: number;
  current_id: string | null;
  goTo: (index: number) => void;
}): void {
  const { jobs, current, current_id, goTo } = list;
  const actions = useJobActions();
  // The first press takes the first row, not the second one.
  const begun = current_id !== null;
  const job = begun ? jobs[current] : undefined;
  useShortcut({ keys: "j", does: "Next job" }, () => goTo(begun ? current + 1 : 0));
  useShortcut({ keys: "k", does: "Previous job" }, () => goTo(begun ? current - 1 : 0));
  useShortcut({ keys: "x", does: "Cancel the job" }, () => job && !isOver(job) && actions.cancel(job));
  useShortcut({ keys: "r", does: "Retry the job" }, () => job && isOver(job) && actions.retry(job));
}
