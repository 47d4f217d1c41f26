import { useVirtualizer } from "@tanstack/react-virtual";
import clsx from "clsx";
import { type ReactNode, useMemo, useRef, useState } from "react";
import { visibleText } from "../text/visible-text.ts";
import { Button } from "./button.tsx";
import { type DiffCounts, type DiffLine, readDiff } from "./diff-lines.ts";

/** More lines than this scroll in a box of their own, in which only those that can be seen exist. */
const INLINE_LINES_MAX = 300;
const LINE_PX = 20;
/** Of a longer line the beginning is shown. */
const LINE_MAX_CHARS = 2_000;
const TAB_CHARS = 4;
const GUTTER_CHARS = 14;
/**
 * A unified diff of one file, with line numbers. With `preview` it begins with so many lines and a button for the rest; a large one scrolls
 * in a box of its own. `label` tells screen readers what it is of.
 */
export function Diff({
  diff,
  label,
  preview,
  className,
}: {
  diff: string;
  label: string;
  preview?: number;
  className?: string;
}) {
  const lines = useMemo(() => readDiff(diff), [diff]);
  const [whole, setWhole] = useState(false);
  // A preview that hides a few lines only would cost more room than it saves.
  const cut = preview !== undefined && !whole && lines.length > preview + 4;
  const shown = cut ? lines.slice(0, preview) : lines;
  if (lines.length === 0)
    return <p className={clsx("px-3 py-2 text-quiet text-xs", className)}>No line of it changed.</p>;
  return (
    <div className={clsx("min-w-0 bg-panel text-xs", className)}>
      {shown.length > INLINE_LINES_MAX ? (
        <ScrolledLines lines={shown} label={label} />
      ) : (
        <Box label={label} wide={widthOf(shown)}>
          {Array.from(shown.entries(), ([place, line]) => (
            <Line key={place} line={line} />
          ))}
        </Box>
      )}
      {cut && (
        <Button
          look="ghost"
          size="sm"
          className="w-full rounded-none! border-t! border-t-line!"
          onClick={() => setWhole(true)}
        >
          Show all {lines.length.toLocaleString()} lines
        </Button>
      )}
    </div>
  );
}

/** `+12 −3`, with words for those who cannot see it. */
export function DiffStat({ added, removed, className }: DiffCounts & { className?: string }) {
  return (
    <span className={clsx("tabular inline-flex shrink-0 gap-1.5 font-mono text-xs", className)}>
      <span className="text-good">
        <span aria-hidden>+{added.toLocaleString()}</span>
        <span className="sr-only">{added} lines added, </span>
      </span>
      <span className="text-bad">
        <span aria-hidden>−{removed.toLocaleString()}</span>
        <span className="sr-only">{removed} removed</span>
      </span>
    </span>
  );
}

function Box({ label, wide, children }: { label: string; wide: string; children: ReactNode }) {
  return (
    <section
      aria-label={label}
      // biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls sideways, which the keyboard must be able to do.
      tabIndex={0}
      className="overflow-x-auto py-1 focus-visible:outline-offset-[-2px]"
    >
      <div style={{ minWidth: `max(100%, ${wide})` }}>{children}</div>
    </section>
  );
}

function ScrolledLines({ lines, label }: { lines: readonly DiffLine[]; label: string }) {
  const box = useRef<HTMLElement>(null);
  const rows = useVirtualizer({
    count: lines.length,
    getScrollElement: () => box.current,
    estimateSize: () => LINE_PX,
    overscan: 20,
  });
  const wide = useMemo(() => widthOf(lines), [lines]);
  return (
    <section
      ref={box}
      aria-label={label}
      // biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls, which the keyboard must be able to do.
      tabIndex={0}
      className="max-h-[60vh] overflow-auto overscroll-contain focus-visible:outline-offset-[-2px]"
    >
      <div className="relative" style={{ height: rows.getTotalSize(), minWidth: `max(100%, ${wide})` }}>
        {rows.getVirtualItems().map(({ index, start }) => {
          const line = lines[index];
          return (
            line !== undefined && (
              <div key={index} className="absolute inset-x-0" style={{ top: start }}>
                <Line line={line} />
              </div>
            )
          );
        })}
      </div>
    </section>
  );
}

const LOOKS = {
  same: { row: "", number: "text-quiet", sign: " ", text: "text-soft" },
  added: { row: "bg-good-soft", number: "text-good", sign: "+", text: "text-ink" },
  removed: { row: "bg-bad-soft", number: "text-bad", sign: "-", text: "text-ink" },
};

function Line({ line }: { line: DiffLine }) {
  if (line.kind === "note")
    return <div className="h-5 pl-24 text-quiet text-2xs italic leading-5">{line.text}</div>;
  if (line.kind === "skipped")
    return (
      <div className="flex h-5 items-center gap-3 bg-sunken text-2xs text-quiet leading-5">
        <span aria-hidden className="w-20 shrink-0 text-center">
          ⋯
        </span>
        <span className="whitespace-pre">
          {line.count > 0 &&
            `${line.count.toLocaleString()} ${line.count === 1 ? "line" : "lines"} unchanged`}
          {line.text !== "" && (
            <span className="untrusted ml-3 font-mono">{visibleText(cut(line.text))}</span>
          )}
        </span>
      </div>
    );
  const { row, number, sign, text } = LOOKS[line.kind];
  return (
    <div className={clsx("flex h-5 leading-5", row)}>
      <span
        aria-hidden
        className={clsx("tabular w-10 shrink-0 select-none pr-1 text-right font-mono text-2xs", number)}
      >
        {line.old}
      </span>
      <span
        aria-hidden
        className={clsx("tabular w-10 shrink-0 select-none pr-1 text-right font-mono text-2xs", number)}
      >
        {line.new}
      </span>
      <code dir="ltr" className={clsx("whitespace-pre pl-2 [tab-size:4] [unicode-bidi:isolate]", text)}>
        <span className={clsx("mr-2 inline-block w-2 select-none", number)}>{sign}</span>
        <span>
          <Text text={cut(line.text)} />
        </span>
      </code>
    </div>
  );
}

/** A line of a file from Windows says so by a sign of its own, as every line of it does. */
function Text({ text }: { text: string }) {
  if (!text.endsWith("\r")) return visibleText(text);
  return (
    <>
      {visibleText(text.slice(0, -1))}
      <span title="carriage return" className="ml-1 select-none rounded-sm border px-0.5 text-2xs text-quiet">
        CR
      </span>
    </>
  );
}

function cut(text: string): string {
  const more = text.length - LINE_MAX_CHARS;
  return more > 0 ? `${text.slice(0, LINE_MAX_CHARS)}… (${more.toLocaleString()} characters more)` : text;
}

/** The width that the longest line needs, so that all rows end alike and scroll together. */
function widthOf(lines: readonly DiffLine[]): string {
  let chars = 0;
  for (const { text } of lines) {
    if (text.length <= chars && !text.includes("\t")) continue;
    let tabs = 0;
    for (let at = text.indexOf("\t"); at !== -1 && at < LINE_MAX_CHARS; at = text.indexOf("\t", at + 1))
      tabs += 1;
    chars = Math.max(chars, Math.min(text.length, LINE_MAX_CHARS + 40) + tabs * (TAB_CHARS - 1));
  }
  return `${chars + GUTTER_CHARS}ch`;
}
