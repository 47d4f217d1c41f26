import { timeOfDay } from "../replay/clock-text.ts";
import { useReplay } from "../replay/replay-moment.tsx";

/** When something happened; of a job that has ended a click takes the replay there. */
export function Moment({ at, replays }: { at: string; replays: boolean }) {
  const { seek } = useReplay();
  const ms = Date.parse(at);
  const text = (
    <time dateTime={at} title={new Date(ms).toLocaleString()}>
      {timeOfDay(ms)}
    </time>
  );
  if (!replays) return <span className="text-quiet max-sm:hidden">{text}</span>;
  return (
    <button
      type="button"
      onClick={() => seek(ms)}
      aria-label={`Replay from ${timeOfDay(ms)}`}
      className="rounded-sm text-quiet hover:text-accent hover:underline max-sm:hidden"
    >
      {text}
    </button>
  );
}
