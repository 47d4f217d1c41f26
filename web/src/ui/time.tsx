import { useState } from "react";
import { formatAge, formatDuration, formatWholeSeconds } from "../../../src/contract/units.ts";
import { useNow } from "./clock.ts";
import { useIsStale } from "./stale.ts";

/** How long ago, in its largest unit: `3 m ago`, without `ago` when it is `short`; the whole time when it is pointed at. */
export function Ago({ at, short = false, className }: { at: string; short?: boolean; className?: string }) {
  const seconds = (useNow() - Date.parse(at)) / 1000;
  return (
    <time dateTime={at} title={new Date(at).toLocaleString()} className={className}>
      {seconds < 5 ? "now" : `${formatAge(seconds)}${short ? "" : " ago"}`}
    </time>
  );
}

/**
 * A clock from one time to another, or to now as long as there is no other. It stands still while the server is not heard: what it measures
 * may have ended.
 */
export function Elapsed({ from, to, className }: { from: string; to: string | null; className?: string }) {
  const stale = useIsStale();
  const ticks = to === null && !stale;
  const now = useNow(ticks);
  const [heard, setHeard] = useState(now);
  if (ticks && heard !== now) setHeard(now);
  const begin = Date.parse(from);
  const span =
    to === null
      ? formatWholeSeconds(Math.max(0, Math.round(((ticks ? now : heard) - begin) / 1000)))
      : formatDuration(Math.max(0, Date.parse(to) - begin));
  return <span className={className}>{span}</span>;
}
