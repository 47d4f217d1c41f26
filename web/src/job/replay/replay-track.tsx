import clsx from "clsx";
import { type KeyboardEvent, type PointerEvent, useMemo, useRef, useState } from "react";
import { formatDuration } from "../../../../src/contract/units.ts";
import { clockText, timeOfDay } from "./clock-text.ts";
import type { PlayTime } from "./play-time.ts";
import type { ReplayClock } from "./replay-clock.ts";
import { moveByKey, type Told } from "./replay-keys.ts";
import { useClock } from "./replay-moment.tsx";
import type { MarkKind, Story } from "./story.ts";
import { countOf } from "./times.ts";
import { COLUMNS, drawTrack, seenAt } from "./track-picture.ts";

const MARK_COLOURS: Record<MarkKind, string> = {
  capture: "fill-other",
  message: "fill-accent",
  approval: "fill-person",
  failure: "fill-bad",
};
const MARK_DOTS: Record<MarkKind, string> = {
  capture: "bg-other",
  message: "bg-accent",
  approval: "bg-person",
  failure: "bg-bad",
};
/** What a pointer is taken to mean, on either side of it. */
const NEAR_PIXELS = 4;

/** The whole job from left to right, in play time: what stands out, how much happened, the steps; and the moment, to be moved. */
export function ReplayTrack({ clock, told }: { clock: ReplayClock; told: Told }) {
  const { story, from } = told;
  // The clock's time is another one after each change of what is skipped.
  const skips = useClock(clock, ({ skip_idle }) => skip_idle);
  const length = useClock(clock, () => clock.time.play_ms);
  const time = clock.time;
  const picture = useMemo(
    () => (skips || length >= 0 ? drawTrack(story, from, time) : null),
    [story, from, time, skips, length],
  );
  const box = useRef<HTMLDivElement>(null);
  const dragging = useRef<{ was_playing: boolean } | null>(null);
  const [hover, setHover] = useState<number | null>(null);
  const shareOf = (event: PointerEvent): number => {
    const { left, width } = event.currentTarget.getBoundingClientRect();
    return Math.min(1, Math.max(0, (event.clientX - left) / width));
  };
  const seekTo = (share: number): void => clock.seek(time.toReal(share * time.play_ms));
  return (
    <div
      ref={box}
      className="relative h-10 min-w-0 flex-1 cursor-pointer touch-none select-none"
      onPointerDown={(event) => {
        if (event.button !== 0) return;
        event.currentTarget.setPointerCapture(event.pointerId);
        dragging.current = { was_playing: clock.state.playing };
        clock.pause();
        seekTo(shareOf(event));
        box.current?.querySelector<HTMLElement>("[role=slider]")?.focus();
        // The browser would take the focus away again.
        event.preventDefault();
      }}
      onPointerMove={(event) => {
        const share = shareOf(event);
        setHover(share);
        if (dragging.current !== null) seekTo(share);
      }}
      onPointerUp={() => {
        const dragged = dragging.current;
        dragging.current = null;
        if (dragged?.was_playing === true) clock.play();
      }}
      onPointerLeave={() => setHover(null)}
    >
      {picture !== null && (
        <>
          <Lane className="inset-y-0 h-full" paths={[[picture.idle, "fill-sunken"]]} />
          <Lane
            className="top-0 h-1.5"
            paths={(Object.keys(MARK_COLOURS) as MarkKind[]).map((kind) => [
              picture.marks[kind],
              MARK_COLOURS[kind],
            ])}
          />
          <Lane className="top-2 h-5" paths={[[picture.density, "fill-line-strong"]]} />
          <div className="absolute inset-x-0 bottom-1 h-1.5 rounded-full bg-hover" />
          <Lane
            className="bottom-1 h-1.5"
            paths={[
              [picture.steps, "fill-accent opacity-70"],
              [picture.failed_steps, "fill-bad"],
            ]}
          />
        </>
      )}
      <Playhead clock={clock} told={told} />
      {hover !== null && time.play_ms > 0 && (
        <Hover share={hover} width={box.current?.clientWidth ?? 0} clock={clock} story={story} from={from} />
      )}
    </div>
  );
}

function Lane({
  paths,
  className,
}: {
  paths: (readonly [path: string, colour: string])[];
  className: string;
}) {
  return (
    <svg
      aria-hidden
      viewBox={`0 0 ${COLUMNS} 100`}
      preserveAspectRatio="none"
      className={clsx("pointer-events-none absolute inset-x-0 w-full", className)}
    >
      {paths.map(([path, colour]) => path !== "" && <path key={colour} d={path} className={colour} />)}
    </svg>
  );
}

function Playhead({ clock, told }: { clock: ReplayClock; told: Told }) {
  const { story, from } = told;
  const at = useClock(clock, (state) => state.at);
  const { time } = clock;
  const share = time.play_ms > 0 ? clock.played_ms / time.play_ms : 1;
  const moment = at ?? time.real_ms;
  const step = seenAt(story, from + moment, 0).step;
  const onKeyDown = (event: KeyboardEvent): void => {
    if (moveByKey(clock, told, event)) event.preventDefault();
  };
  return (
    <>
      <div
        className={clsx(
          "pointer-events-none absolute inset-y-0 right-0",
          at !== null &&
            "bg-[color-mix(in_srgb,color-mix(in_srgb,var(--color-accent-soft)_45%,var(--color-panel))_65%,transparent)]",
        )}
        style={{ left: `${share * 100}%` }}
      />
      <div
        role="slider"
        tabIndex={0}
        data-keys="own"
        aria-label="Moment"
        aria-valuemin={0}
        aria-valuemax={Math.round(time.real_ms)}
        aria-valuenow={Math.round(moment)}
        aria-valuetext={`${at === null ? "Now, the end" : formatDuration(moment)} of ${formatDuration(time.real_ms)}${step === null ? "" : `, step ${step.number}: ${step.title}`}`}
        onKeyDown={onKeyDown}
        className="-ml-2 absolute inset-y-0 w-4 rounded-sm outline-offset-0"
        style={{ left: `${share * 100}%` }}
      >
        <div
          className={clsx(
            "absolute inset-y-0 left-1/2 w-0.5 -translate-x-1/2 rounded-full",
            at === null ? "bg-line-strong" : "bg-ink",
          )}
        />
        <div
          className={clsx(
            "-translate-x-1/2 absolute bottom-[1.5px] left-1/2 size-3 rounded-full border-2 border-panel",
            at === null ? "bg-line-strong" : "bg-ink",
          )}
        />
      </div>
    </>
  );
}

/** How long the idle part really took that a place of the play time lies in. */
function idleAt(time: PlayTime, played_ms: number): number | null {
  const { shortened } = time;
  const part = shortened[countOf(shortened, played_ms) - 1];
  return part === undefined || played_ms > part.to ? null : time.toReal(part.to) - time.toReal(part.at);
}

const HOVER_WIDTH = 256;

function Hover({
  share,
  width,
  clock,
  story,
  from,
}: {
  share: number;
  width: number;
  clock: ReplayClock;
  story: Story;
  from: number;
}) {
  const { time } = clock;
  const real = time.toReal(share * time.play_ms);
  const near = width > 0 ? (NEAR_PIXELS / width) * time.play_ms : 0;
  const within = Math.max(
    real - time.toReal(share * time.play_ms - near),
    time.toReal(share * time.play_ms + near) - real,
  );
  const { step, marks, more } = seenAt(story, from + real, within);
  const idle = idleAt(time, share * time.play_ms);
  const left = Math.min(Math.max(0, share * width - HOVER_WIDTH / 2), Math.max(0, width - HOVER_WIDTH));
  return (
    <>
      <div
        className="pointer-events-none absolute inset-y-0 w-px bg-quiet"
        style={{ left: `${share * 100}%` }}
      />
      <div
        aria-hidden
        className="pointer-events-none absolute top-full z-30 mt-1 flex flex-col gap-1 rounded-md border border-line-strong bg-raised px-2.5 py-1.5 text-xs shadow-pop"
        style={{ left, width: HOVER_WIDTH }}
      >
        <div className="flex justify-between gap-2">
          <span className="tabular font-medium">{clockText(real, time.real_ms)}</span>
          <span className="tabular text-quiet">{timeOfDay(from + real)}</span>
        </div>
        {idle !== null && <div className="text-quiet">Nothing happened for {formatDuration(idle)}</div>}
        {step !== null && (
          <div className="untrusted line-clamp-2 text-soft">
            <span className="text-quiet">Step {step.number}</span> {step.title}
          </div>
        )}
        {Array.from(marks.entries(), ([place, mark]) => (
          <div key={place} className="flex items-start gap-1.5">
            <span className={clsx("mt-1.5 size-1.5 shrink-0 rounded-full", MARK_DOTS[mark.kind])} />
            <span className="untrusted line-clamp-2 text-soft">{mark.text.slice(0, 200)}</span>
          </div>
        ))}
        {more > 0 && <div className="text-quiet">and {more.toLocaleString()} more</div>}
      </div>
    </>
  );
}
