import { useVirtualizer } from "@tanstack/react-virtual";
import { ArrowDown } from "lucide-react";
import { type Ref, useEffect, useImperativeHandle, useLayoutEffect, useRef } from "react";
import type { Job } from "../../../../src/contract/job.ts";
import { useShortcut } from "../../app/shortcuts.ts";
import { Button } from "../../ui/button.tsx";
import { ItemView } from "./item-view.tsx";
import type { TimelineItem } from "./timeline-items.ts";

/** What an item takes before it was measured. */
const ESTIMATED_PX: Record<TimelineItem["kind"], number> = {
  step: 120,
  plan: 200,
  message: 80,
  approval: 110,
  denied: 90,
  calls: 26,
  files: 80,
  screens: 180,
  image: 26,
  note: 26,
  waiting: 60,
  end: 100,
};
/** So near to the end one is at it. */
const AT_END_PX = 80;

export type TimelineHandle = { show(key: string): void };

/** The items of a timeline, of which only those in sight are on the page. */
export function TimelineList({
  items,
  job,
  follows,
  at,
  busy,
  onFirst,
  ref,
}: {
  items: readonly TimelineItem[];
  job: Job;
  /** Begins at the end and stays there as items come, as long as nobody scrolls away from it. */
  follows: boolean;
  /** A moment of a replay: the end of what is given then. */
  at: number | null;
  /** Whether items are still being loaded. */
  busy: boolean;
  /** Called with the place of the first item in sight. */
  onFirst: (index: number) => void;
  ref: Ref<TimelineHandle>;
}) {
  const place = useRef<HTMLDivElement>(null);
  const virtualizer = useVirtualizer({
    count: items.length,
    getScrollElement: () => place.current,
    estimateSize: (index) => ESTIMATED_PX[items[index]?.kind ?? "note"],
    getItemKey: (index) => items[index]?.key ?? index,
    overscan: 3,
    paddingStart: 10,
    paddingEnd: 16,
    anchorTo: follows || at !== null ? "end" : "start",
    followOnAppend: true,
    scrollEndThreshold: AT_END_PX,
    useFlushSync: false,
  });
  const begun = useRef(false);
  useLayoutEffect(() => {
    if (begun.current || items.length === 0) return;
    begun.current = true;
    if (follows) virtualizer.scrollToEnd();
  }, [items, follows, virtualizer]);
  useLayoutEffect(() => {
    if (at !== null && items.length > 0) virtualizer.scrollToEnd();
  }, [at, items.length, virtualizer]);
  useImperativeHandle(
    ref,
    () => ({
      show: (key) => {
        const index = items.findIndex((item) => item.key === key);
        if (index !== -1) virtualizer.scrollToIndex(index, { align: "center" });
      },
    }),
    [items, virtualizer],
  );
  useCardKeys(place, items.length, (index) => virtualizer.scrollToIndex(index, { align: "auto" }));
  const shown = virtualizer.getVirtualItems();
  const top = virtualizer.scrollOffset ?? 0;
  const first = shown.find(({ end }) => end > top + 8)?.index ?? 0;
  useEffect(() => onFirst(first), [first, onFirst]);
  const away = follows && at === null && items.length > 0 && !virtualizer.isAtEnd(AT_END_PX);
  return (
    <div className="relative min-h-0 flex-1">
      <div
        ref={place}
        role="feed"
        aria-busy={busy}
        aria-label="What happened"
        className="h-full overflow-y-auto overflow-x-hidden [contain:strict] [overflow-anchor:none]"
      >
        <div className="relative w-full" style={{ height: virtualizer.getTotalSize() }}>
          {shown.map(({ key, index, start }) => {
            const item = items[index];
            if (item === undefined) return null;
            return (
              <article
                key={key}
                ref={virtualizer.measureElement}
                data-index={index}
                data-kind={item.kind}
                tabIndex={-1}
                aria-posinset={index + 1}
                aria-setsize={busy ? -1 : items.length}
                className="absolute top-0 left-0 w-full outline-none [contain:layout_style] before:absolute before:top-0 before:bottom-0 before:left-[1.4375rem] before:w-px before:bg-line focus-visible:bg-hover/60 sm:before:left-[1.6875rem]"
                style={{ transform: `translateY(${start}px)` }}
              >
                <ItemView item={item} job={job} />
              </article>
            );
          })}
        </div>
      </div>
      {away && (
        <Button
          size="sm"
          className="-translate-x-1/2 absolute bottom-3 left-1/2 rounded-full! shadow-pop"
          onClick={() => virtualizer.scrollToEnd()}
        >
          <ArrowDown aria-hidden />
          Jump to now
        </Button>
      )}
    </div>
  );
}

/** From card to card by j and k; o, a and d press what the card in focus has. */
function useCardKeys(
  place: React.RefObject<HTMLDivElement | null>,
  count: number,
  reveal: (index: number) => void,
): void {
  const focused = () => document.activeElement?.closest<HTMLElement>("article[data-index]") ?? null;
  const move = (by: 1 | -1): void => {
    const element = place.current;
    if (element === null || count === 0) return;
    const now = focused();
    const from = now === null ? firstInSight(element) - by : Number(now.dataset.index);
    const index = Math.min(count - 1, Math.max(0, from + by));
    reveal(index);
    focusWhenThere(element, index);
  };
  const press = (what: string) => () => focused()?.querySelector<HTMLElement>(what)?.click();
  useShortcut({ keys: "j", does: "Next card" }, () => move(1));
  useShortcut({ keys: "k", does: "Card before" }, () => move(-1));
  useShortcut({ keys: "o", does: "Open the output of the card" }, press("[data-opens=output]"));
  useShortcut({ keys: "a", does: "Allow what the card asks" }, press("[data-answer=allow]"));
  useShortcut({ keys: "d", does: "Deny what the card asks" }, press("[data-answer=deny]"));
}

function firstInSight(place: HTMLElement): number {
  const top = place.getBoundingClientRect().top;
  const articles = [...place.querySelectorAll<HTMLElement>("article[data-index]")];
  const found = articles
    .filter((article) => article.getBoundingClientRect().bottom > top + 8)
    .map((article) => Number(article.dataset.index));
  return found.length === 0 ? 0 : Math.min(...found);
}

/** A card that was out of sight is there some frames later. */
const FRAMES_MAX = 20;

function focusWhenThere(place: HTMLElement, index: number, frames = 0): void {
  const article = place.querySelector<HTMLElement>(`article[data-index="${index}"]`);
  if (article !== null) article.focus({ preventScroll: true });
  else if (frames < FRAMES_MAX) requestAnimationFrame(() => focusWhenThere(place, index, frames + 1));
}
