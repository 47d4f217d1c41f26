import type { PlayTime } from "./play-time.ts";
import type { Mark, MarkKind, Step, Story } from "./story.ts";
import { countOf, lastUntil } from "./times.ts";

/** What a track is drawn in, left to right; 100 is its height. */
export const COLUMNS = 400;

/** What a track shows, as paths of SVG in COLUMNS × 100. However much happened, each has at most a piece for each column. */
export type TrackPicture = {
  /** How much happened. */
  density: string;
  steps: string;
  failed_steps: string;
  /** Parts that are played faster than they were. */
  idle: string;
  marks: Record<MarkKind, string>;
};

/** The first is shown where several stand in one column. */
const ORDER: readonly MarkKind[] = ["failure", "approval", "message", "capture"];

/** `from` is when the play time starts, in ms since the epoch. */
export function drawTrack(story: Story, from: number, time: PlayTime): TrackPicture {
  const scale = time.play_ms > 0 ? COLUMNS / time.play_ms : 0;
  const x = (at: number): number => time.toPlay(at - from) * scale;
  const columnOf = (at: number): number => Math.min(COLUMNS - 1, Math.floor(x(at)));
  const counts = new Array<number>(COLUMNS).fill(0);
  for (const moment of story.moments) {
    const column = columnOf(moment);
    counts[column] = (counts[column] ?? 0) + 1;
  }
  const most = counts.reduce((max, count) => Math.max(max, count), 1);
  const density = counts
    .map((count, column) => (count === 0 ? "" : bar(column, column + 1, 100 - 100 * Math.sqrt(count / most))))
    .join("");

  const standing = new Array<MarkKind | undefined>(COLUMNS).fill(undefined);
  for (const { at, kind } of story.marks) {
    const column = columnOf(at);
    const there = standing[column];
    if (there === undefined || ORDER.indexOf(kind) < ORDER.indexOf(there)) standing[column] = kind;
  }
  const marks: Record<MarkKind, string> = { failure: "", approval: "", message: "", capture: "" };
  standing.forEach((kind, column) => {
    if (kind !== undefined) marks[kind] += bar(column, column + 1, 0);
  });

  const spans = (steps: readonly Step[]): string =>
    spansOf(steps.map(({ at, ended }) => ({ from: x(at), to: x(ended?.at ?? story.to) })));
  return {
    density,
    steps: spans(story.steps.filter(({ ended }) => ended?.data.ok !== false)),
    failed_steps: spans(story.steps.filter(({ ended }) => ended?.data.ok === false)),
    idle: spansOf(time.shortened.map((part) => ({ from: part.at * scale, to: part.to * scale }))),
    marks,
  };
}

/** Ascending spans as bars; none is too narrow to be seen, and one that lies in the bar before it adds nothing. */
function spansOf(spans: readonly { from: number; to: number }[]): string {
  const GAP = 0.6;
  const NARROWEST = 1;
  let path = "";
  let end = -1;
  for (const { from, to } of spans) {
    const left = Math.max(from, end);
    const right = Math.max(to, from + NARROWEST);
    if (right - left < NARROWEST / 2) continue;
    path += bar(left, Math.max(left + NARROWEST / 2, right - GAP), 0);
    end = right;
  }
  return path;
}

function bar(left: number, right: number, top: number): string {
  return `M${short(left)} 100V${short(top)}H${short(right)}V100Z`;
}

function short(value: number): string {
  return String(Math.round(value * 100) / 100);
}

export type Seen = { step: Step | null; marks: Mark[]; more: number };
const SEEN_MARKS_MAX = 3;

/** What happened around a moment: the step it lies in, and what stands out within `within_ms` of it. Times since the epoch. */
export function seenAt(story: Story, at: number, within_ms: number): Seen {
  const step = lastUntil(story.steps, at);
  const first = countOf(story.marks, at - within_ms);
  const last = countOf(story.marks, at + within_ms);
  const marks = story.marks.slice(first, Math.min(last, first + SEEN_MARKS_MAX));
  const runs = step !== null && (step.ended === null || step.ended.at >= at);
  return { step: runs ? step : null, marks, more: last - first - marks.length };
}
