import clsx from "clsx";
import { ChevronFirst, ChevronLast, FastForward, Link2, Pause, Play, RotateCcw } from "lucide-react";
import { useEffect, useEffectEvent } from "react";
import type { Job } from "../../../../src/contract/job.ts";
import { Button, IconButton } from "../../ui/button.tsx";
import { Menu, MenuRadio } from "../../ui/menu.tsx";
import { Tip } from "../../ui/tip.tsx";
import { useToasts } from "../../ui/toasts.tsx";
import { useJobEvents } from "../events/job-events-provider.tsx";
import { clockText } from "./clock-text.ts";
import { type ReplayClock, SPEEDS } from "./replay-clock.ts";
import { moveByKey, type Told, toStep } from "./replay-keys.ts";
import { useClock, useReplayClock } from "./replay-moment.tsx";
import { ReplayTrack } from "./replay-track.tsx";
import { storyOf } from "./story.ts";

/** Plays a job that has ended: everything on its page shows it as it was at one moment. */
export function ReplayBar({ job }: { job: Job }) {
  return job.phase === "ended" ? <Bar job={job} /> : null;
}

function Bar({ job }: { job: Job }) {
  const clock = useReplayClock();
  const { events, complete } = useJobEvents();
  const told: Told = { story: storyOf(events), from: Date.parse(job.timings.scheduled_at), complete };
  const playing = useClock(clock, (state) => state.playing);
  const replays = useClock(clock, ({ at }) => at !== null);
  usePageKeys(clock, (event) => moveByKey(clock, told, event));
  return (
    <section
      aria-label="Replay"
      className={clsx(
        "flex shrink-0 flex-wrap items-center gap-x-3 gap-y-1 border-b px-3 py-1.5 sm:px-4 md:flex-nowrap",
        replays ? "bg-[color-mix(in_srgb,var(--color-accent-soft)_45%,var(--color-panel))]" : "bg-panel",
      )}
    >
      <div className="flex items-center gap-0.5">
        <IconButton
          label={playing ? "Pause" : replays ? "Play" : "Replay the job"}
          shortcut="space"
          look={replays ? "primary" : "plain"}
          onClick={() => clock.toggle()}
        >
          {playing ? <Pause /> : <Play />}
        </IconButton>
        <IconButton
          label="Step before"
          size="sm"
          className="ml-1 max-sm:hidden"
          onClick={() => toStep(clock, told, -1)}
        >
          <ChevronFirst />
        </IconButton>
        <IconButton
          label="Next step"
          size="sm"
          className="max-sm:hidden"
          onClick={() => toStep(clock, told, 1)}
        >
          <ChevronLast />
        </IconButton>
      </div>
      <Place clock={clock} />
      <div className="order-last flex min-w-0 basis-full md:order-none md:flex-1 md:basis-0">
        <ReplayTrack clock={clock} told={told} />
      </div>
      <div className="ml-auto flex items-center gap-0.5 md:ml-0">
        <Speed clock={clock} />
        <SkipIdle clock={clock} />
        <CopyMoment clock={clock} />
        {replays && (
          <Tip text="Back to the job as it is now" shortcut="escape">
            <Button size="sm" className="ml-1" onClick={() => clock.seek(null)}>
              <RotateCcw aria-hidden />
              Now
            </Button>
          </Tip>
        )}
      </div>
    </section>
  );
}

function Place({ clock }: { clock: ReplayClock }) {
  const total = clock.time.real_ms;
  const text = useClock(clock, ({ at }) => clockText(at ?? clock.time.real_ms, clock.time.real_ms));
  return (
    <div className="tabular whitespace-nowrap font-mono text-xs">
      <span className="inline-block min-w-[3.2rem] text-right text-ink">{text}</span>
      <span className="text-quiet"> / {clockText(total, total)}</span>
    </div>
  );
}

function Speed({ clock }: { clock: ReplayClock }) {
  const speed = useClock(clock, (state) => state.speed);
  const choose = (value: string): void => {
    const chosen = SPEEDS.find((one) => String(one) === value);
    if (chosen !== undefined) clock.setSpeed(chosen);
  };
  return (
    <Menu
      trigger={
        <Button look="ghost" size="sm" className="tabular min-w-10" aria-label={`Speed: ${speed} times`}>
          {speed}×
        </Button>
      }
    >
      <MenuRadio
        value={String(speed)}
        onChange={choose}
        options={SPEEDS.map((one) => ({ value: String(one), label: `${one}×` }))}
      />
    </Menu>
  );
}

function SkipIdle({ clock }: { clock: ReplayClock }) {
  const skips = useClock(clock, (state) => state.skip_idle);
  return (
    <Tip text="Parts in which nothing happens for 2 s are played in one">
      <Button
        look="ghost"
        size="sm"
        aria-pressed={skips}
        className={clsx(skips && "text-accent!")}
        onClick={() => clock.setSkipIdle(!skips)}
      >
        <FastForward aria-hidden />
        <span className="max-lg:sr-only">Skip idle</span>
      </Button>
    </Tip>
  );
}

function CopyMoment({ clock }: { clock: ReplayClock }) {
  const { done, failed } = useToasts();
  const copy = async (): Promise<void> => {
    const address = new URL(location.href);
    address.searchParams.set("at", String(Math.round(clock.state.at ?? clock.time.real_ms)));
    await navigator.clipboard.writeText(address.href);
    done("The link to this moment is in the clipboard");
  };
  return (
    <IconButton label="Copy a link to this moment" size="sm" onClick={() => void copy().catch(failed)}>
      <Link2 />
    </IconButton>
  );
}

/** What takes keys of its own, or does something on space. */
const TAKES_KEYS =
  "input, textarea, select, button, a, summary, video, [contenteditable=true], [role=dialog], [role=menu], [role=listbox], [role=tree], [role=tab], .xterm, .cm-editor, iframe, [data-keys=own]";
/** Those that want space, but no arrows: with these a replay can be moved while one of them has the focus. */
const WANTS_SPACE_ONLY = "button:not([role=tab], [aria-haspopup]), a, summary";

/** The keys of a replay wherever the focus is, but where something else wants them. */
function usePageKeys(clock: ReplayClock, press: (event: KeyboardEvent) => boolean): void {
  const latest = useEffectEvent((event: KeyboardEvent): void => {
    if (event.defaultPrevented || event.isComposing) return;
    // While no replay is on, the arrows belong to whatever scrolls.
    if (clock.state.at === null && event.key !== " ") return;
    if (!["ArrowLeft", "ArrowRight", " ", "Escape"].includes(event.key)) return;
    const { target } = event;
    if (target instanceof Element && target.closest(TAKES_KEYS) !== null) {
      if (event.key === " " || !target.matches(WANTS_SPACE_ONLY)) return;
    }
    if (press(event)) event.preventDefault();
  });
  useEffect(() => {
    const onKey = (event: KeyboardEvent): void => latest(event);
    addEventListener("keydown", onKey);
    return () => removeEventListener("keydown", onKey);
  }, []);
}
