import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useLayoutEffect, useMemo, useRef } from "react";
import { terminalLines } from "../../text/terminal-lines.ts";
import { TerminalLines } from "../../text/terminal-text.tsx";
import type { StoryEvent } from "../events/job-events.ts";
import { outputBefore } from "./output-at.ts";
import type { Step } from "./story.ts";

/** A step that wrote less than this many pieces is read once; of others a window around the moment. */
const WHOLE_EVENTS = 1_000;
const WINDOW_EVENTS = 400;
/** Windows end at every so many events, so that a replay that goes on does not read each event's own. */
const WINDOW_STEP_SEQ = 256;
const LINES_SHOWN = 200;

/** What a step had written by then; the last lines of it. */
export function StageOutput({
  job_id,
  events,
  step,
  at,
}: {
  job_id: string;
  events: readonly StoryEvent[];
  step: Step;
  at: number;
}) {
  const { data: chunks, moment } = useOutput({ job_id, events, step, at });
  const seen = useMemo(() => chunks.filter(({ at_ms }) => at_ms <= moment), [chunks, moment]);
  const lines = useMemo(() => terminalLines(seen).slice(-LINES_SHOWN), [seen]);
  const box = useRef<HTMLElement>(null);
  useLayoutEffect(() => {
    if (box.current !== null && lines.length > 0) box.current.scrollTop = box.current.scrollHeight;
  }, [lines]);
  return (
    <section
      ref={box}
      aria-label={`Output of step ${step.number} at that moment`}
      // biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls, which the keyboard must be able to do.
      tabIndex={0}
      className="h-44 overflow-y-auto overscroll-contain rounded-lg border bg-panel px-4 py-3"
    >
      {lines.length === 0 ? (
        <p className="text-quiet text-sm">It had printed nothing yet.</p>
      ) : (
        <TerminalLines lines={lines} />
      )}
    </section>
  );
}

function useOutput({
  job_id,
  events,
  step,
  at,
}: {
  job_id: string;
  events: readonly StoryEvent[];
  step: Step;
  at: number;
}) {
  const place = { job_id, step: step.number, after: step.seq };
  const end = step.ended?.seq ?? null;
  const whole = useQuery(outputBefore({ ...place, before: end, limit: WHOLE_EVENTS }));
  const is_whole = whole.data !== undefined && whole.data.length < WHOLE_EVENTS;
  const next = nextAfter(events, at);
  const rounded = next === null ? null : Math.ceil(next / WINDOW_STEP_SEQ) * WINDOW_STEP_SEQ;
  const before = rounded === null || (end !== null && rounded > end) ? end : rounded;
  const window = useQuery({
    ...outputBefore({ ...place, before, limit: WINDOW_EVENTS }),
    enabled: whole.data !== undefined && !is_whole,
    // Until the next window is there the last one is shown; but none of another step.
    placeholderData: (old, query) =>
      (query?.queryKey[1] as { step?: number } | undefined)?.step === step.number
        ? keepPreviousData(old)
        : undefined,
  });
  const data = (is_whole ? whole.data : window.data) ?? [];
  // A window that reaches less far back than the moment shows what it has.
  const moment = Math.max(at, is_whole ? 0 : (data[0]?.at_ms ?? 0));
  return { data, moment };
}

/** The number of the first event after a moment: output before it is all that had been written, or nearly. */
function nextAfter(events: readonly StoryEvent[], at: number): number | null {
  let low = 0;
  let high = events.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const event = events[middle];
    if (event !== undefined && Date.parse(event.at) <= at) low = middle + 1;
    else high = middle;
  }
  return events[low]?.seq ?? null;
}
