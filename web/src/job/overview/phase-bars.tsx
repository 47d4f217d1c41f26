import clsx from "clsx";
import type { Job } from "../../../../src/contract/job.ts";
import { formatDuration } from "../../../../src/contract/units.ts";
import { useNow } from "../../ui/clock.ts";
import type { PhaseName, Phases } from "./phases.ts";

const LOOKS: Record<PhaseName, { text: string; what: string; colour: string }> = {
  queued: { text: "Queued", what: "waited for a free place", colour: "bg-line-strong" },
  container: { text: "Container", what: "image and container made ready", colour: "bg-other" },
  runner: {
    text: "Runner linked",
    what: "from the container's start to its first word",
    colour: "bg-other/70",
  },
  first_step: { text: "First step", what: "files sent, agent started", colour: "bg-accent/60" },
  working: { text: "Working", what: "from the first step on", colour: "bg-accent" },
  packing: { text: "Packing", what: "the workspace became a ZIP", colour: "bg-person" },
};
/** A bar that is narrower could not be seen. */
const NARROWEST_PERCENT = 0.6;

/** What came after what, and how long each took. */
export function PhaseBars({ job, phases, failed }: { job: Job; phases: Phases; failed: boolean }) {
  const goes_on = phases.spans.some(({ to }) => to === null);
  const now = useNow(goes_on) - Date.parse(job.timings.scheduled_at);
  const spans = phases.spans.map(({ name, from, to }) => ({
    name,
    from,
    to: to ?? Math.max(from, now),
    open: to === null,
  }));
  const total = Math.max(1, spans.at(-1)?.to ?? 1);
  const last = spans.at(-1)?.name;
  return (
    <ol aria-label="Phases" className="flex flex-col gap-1">
      {spans.map(({ name, from, to, open }) => {
        const { text, what, colour } = LOOKS[name];
        const left = Math.min(100 - NARROWEST_PERCENT, (100 * from) / total);
        const width = Math.max(NARROWEST_PERCENT, Math.min(100 - left, (100 * (to - from)) / total));
        const broke = failed && (name === "working" ? last !== "working" || !open : false);
        return (
          <li
            key={name}
            title={`${text}: ${what}`}
            className="grid grid-cols-[6.5rem_1fr_4.5rem] items-center gap-2 text-xs"
          >
            <span className="text-soft">{text}</span>
            <span aria-hidden className="relative h-2.5 overflow-hidden rounded-sm bg-sunken">
              <span
                className={clsx("absolute inset-y-0 rounded-sm", colour, open && "animate-pulse-soft")}
                style={{ left: `${left}%`, width: `${width}%` }}
              />
              {broke && (
                <span
                  className="-translate-x-full absolute inset-y-0 w-1.5 rounded-r-sm border-panel border-l-2 bg-bad"
                  style={{ left: `${left + width}%` }}
                />
              )}
            </span>
            <span className="tabular text-right text-ink">
              {formatDuration(to - from)}
              {open && "…"}
            </span>
          </li>
        );
      })}
      {phases.waited_ms > 0 && (
        <li className="mt-1 text-person text-xs">
          {formatDuration(phases.waited_ms)} of it waited for a person.
        </li>
      )}
    </ol>
  );
}
