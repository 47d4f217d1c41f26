import { formatAge, formatWholeSeconds } from "../../../src/contract/units.ts";
import { useNow } from "./clock.ts";

/** How long ago, in its largest unit: `3 m ago`; the whole time when it is pointed at. */
export function Ago({ at, className }: { at: string; className?: string }) {
  const seconds = (useNow() - Date.parse(at)) / 1000;
  return (
    <time dateTime={at} title={new Date(at).toLocaleString()} className={className}>
      {seconds < 5 ? "now" : `${formatAge(seconds)} ago`}
    </time>
  );
}

/** A clock from one time to another, or to now as long as there is no other. */
export function Elapsed({ from, to, className }: { from: string; to: string | null; className?: string }) {
  const now = useNow(to === null);
  const end = to === null ? now : Date.parse(to);
  return (
    <span className={className}>
      {formatWholeSeconds(Math.max(0, Math.round((end - Date.parse(from)) / 1000)))}
    </span>
  );
}
