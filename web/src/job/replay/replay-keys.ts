import type { ReplayClock } from "./replay-clock.ts";
import type { Story } from "./story.ts";
import { countOf } from "./times.ts";

/** One press of an arrow moves by this much, or by a share of a long job. */
const ARROW_MS = 1_000;
const ARROW_SHARE = 1 / 200;
/** Back from within so short a time after a step's begin leads to the step before. */
const STEP_SLACK_MS = 300;

/** What is known of the job; until it is complete later events are being loaded. `from` is where the clock begins, in ms since the epoch. */
export type Told = { story: Story; from: number; complete: boolean };
type Pressed = { key: string; shiftKey: boolean; ctrlKey: boolean; metaKey: boolean; altKey: boolean };

/**
 * What a key does to a replay; false when it does nothing. Arrows move a little, with shift (or PageUp and PageDown) from step to step, Home and End to the
 * ends, space plays and pauses, Escape leads back to now.
 */
export function moveByKey(
  clock: ReplayClock,
  told: Told,
  { key, shiftKey, ctrlKey, metaKey, altKey }: Pressed,
): boolean {
  if (ctrlKey || metaKey || altKey) return false;
  const arrow_ms = Math.max(ARROW_MS, clock.time.play_ms * ARROW_SHARE);
  switch (key) {
    case "ArrowRight":
    case "ArrowUp":
      if (shiftKey) toStep(clock, told, 1);
      else clock.move(arrow_ms);
      return true;
    case "ArrowLeft":
    case "ArrowDown":
      if (shiftKey) toStep(clock, told, -1);
      else clock.move(-arrow_ms);
      return true;
    case "PageUp":
      toStep(clock, told, 1);
      return true;
    case "PageDown":
      toStep(clock, told, -1);
      return true;
    case "Home":
      clock.seek(0);
      return true;
    case "End":
      clock.seek(clock.time.real_ms);
      return true;
    case " ":
      clock.toggle();
      return true;
    case "Escape":
      if (clock.state.at === null) return false;
      clock.seek(null);
      return true;
  }
  return false;
}

/** To where the next step begins, or the one before; past the last to the end, before the first to the start. Stays while what lies there is being loaded. */
export function toStep(clock: ReplayClock, { story, from, complete }: Told, direction: 1 | -1): void {
  const at = from + (clock.state.at ?? clock.time.real_ms);
  const step =
    direction === 1
      ? story.steps[countOf(story.steps, at)]
      : story.steps[countOf(story.steps, at - STEP_SLACK_MS) - 1];
  if (!complete && (direction === 1 ? step === undefined : story.to < at)) return;
  clock.seek(step === undefined ? (direction === 1 ? clock.time.real_ms : 0) : step.at - from);
}
