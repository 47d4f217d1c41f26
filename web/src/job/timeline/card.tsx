import clsx from "clsx";
import type { ReactNode } from "react";

export type Tone = "quiet" | "accent" | "good" | "bad" | "person" | "other";

const TONES: Record<Tone, string> = {
  quiet: "border-line bg-panel text-quiet",
  accent: "border-accent-line bg-accent-soft text-accent",
  good: "border-good-line bg-good-soft text-good",
  bad: "border-bad-line bg-bad-soft text-bad",
  person: "border-person-line bg-person-soft text-person",
  other: "border-line bg-other-soft text-other",
};
/** Quiet lines begin where the text of cards does, their icon on the same rail. */
const RAIL = "grid grid-cols-[1.5rem_minmax(0,1fr)] gap-x-3 px-3 sm:px-4";

/** What something of the timeline looks like: an icon on the rail, a title with what there is to say beside it, and the rest below. */
export function Card({
  icon,
  tone = "quiet",
  title,
  meta,
  children,
}: {
  icon: ReactNode;
  tone?: Tone;
  title: ReactNode;
  meta?: ReactNode;
  children?: ReactNode;
}) {
  return (
    <div className={clsx(RAIL, "py-2")}>
      <span
        aria-hidden
        className={clsx(
          "relative z-1 flex size-6 items-center justify-center rounded-full border [&_svg]:size-3.5",
          TONES[tone],
        )}
      >
        {icon}
      </span>
      <div className="flex min-w-0 flex-col gap-2">
        <header className="flex min-h-6 items-center gap-3">
          <div className="min-w-0 flex-1 text-sm">{title}</div>
          {meta !== undefined && (
            <div className="tabular flex shrink-0 items-center gap-2 text-quiet text-xs">{meta}</div>
          )}
        </header>
        {children}
      </div>
    </div>
  );
}

/** One line for what need not be looked at. */
export function QuietLine({
  icon,
  tone = "quiet",
  meta,
  children,
}: {
  icon: ReactNode;
  tone?: "quiet" | "warn" | "bad" | "person";
  meta?: ReactNode;
  children: ReactNode;
}) {
  const colour = {
    quiet: "text-quiet [&_svg]:text-faint",
    warn: "text-warn",
    bad: "text-bad",
    person: "text-person",
  }[tone];
  return (
    <div className={clsx(RAIL, "items-start py-1 text-xs", colour)}>
      <span
        aria-hidden
        className="relative z-1 flex h-[1.125rem] items-center justify-center bg-panel [&_svg]:size-3.5"
      >
        {icon}
      </span>
      <div className="flex min-w-0 items-baseline gap-3">
        <div className="untrusted min-w-0 flex-1">{children}</div>
        {meta !== undefined && <div className="tabular shrink-0 text-quiet">{meta}</div>}
      </div>
    </div>
  );
}

/** A small button within a card, such as one that shows more of it. */
export function MoreButton({ onClick, children }: { onClick: () => void; children: ReactNode }) {
  return (
    <button
      type="button"
      onClick={onClick}
      className="inline-flex items-center gap-1 rounded-sm px-1 text-quiet text-xs hover:bg-hover hover:text-ink [&_svg]:size-3.5"
    >
      {children}
    </button>
  );
}
