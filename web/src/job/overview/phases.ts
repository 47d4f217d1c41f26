import type { Job } from "../../../../src/contract/job.ts";
import type { Story } from "../replay/story.ts";

export type PhaseName = "queued" | "container" | "runner" | "first_step" | "working" | "packing";

/** A part of a job's life, in ms since it was scheduled; `to` is null while it goes on. */
export type PhaseSpan = { name: PhaseName; from: number; to: number | null };

export type Phases = {
  spans: PhaseSpan[];
  /** While it worked, so long it waited for a person. */
  waited_ms: number;
};

type Boundary = { name: PhaseName; at: number | null };

/** What came when, as the events say it. */
export function phasesOf(job: Pick<Job, "timings" | "phase">, story: Story): Phases {
  const from = Date.parse(job.timings.scheduled_at);
  const since = (at: number | null | undefined): number | null =>
    at === null || at === undefined ? null : Math.max(0, at - from);
  const first = (phase: string): number | null =>
    since(story.phases.find(({ data }) => data.phase === phase)?.at);
  const packing = first("packing");
  const end =
    since(story.ended_at) ?? (job.timings.ended_at === null ? null : since(Date.parse(job.timings.ended_at)));
  const boundaries: Boundary[] = [
    { name: "queued", at: 0 },
    { name: "container", at: first("starting") },
    { name: "runner", at: since(story.sandbox_started_at) },
    { name: "first_step", at: since(story.linked_at) },
    { name: "working", at: since(story.steps[0]?.at) },
    { name: "packing", at: packing },
  ];
  const last = packing ?? end ?? Number.POSITIVE_INFINITY;
  // What packs a dead sandbox's work is started and linked too, but begins nothing.
  const known = boundaries.filter(
    (one): one is { name: PhaseName; at: number } =>
      one.at !== null && (one.name === "packing" || one.at <= last),
  );
  const spans = known.map(({ name, at }, index) => ({ name, from: at, to: known[index + 1]?.at ?? end }));
  return { spans, waited_ms: waitedOf(story, from + (end ?? since(story.to) ?? 0)) };
}

/** The same in the few parts that a job itself knows, while its events are still being read. */
export function coarsePhasesOf({ timings, phase }: Pick<Job, "timings" | "phase">): Phases {
  const parts: [PhaseName, number | null][] = [
    ["queued", timings.queued_ms],
    ["container", timings.starting_ms],
    ["working", timings.working_ms],
    ["packing", timings.packing_ms],
  ];
  let from = 0;
  const spans: PhaseSpan[] = [];
  for (const [name, ms] of parts) {
    if (ms === null) {
      if (phase !== "ended" && name === "queued") spans.push({ name, from, to: null });
      continue;
    }
    spans.push({ name, from, to: from + ms });
    from += ms;
  }
  return { spans, waited_ms: 0 };
}

function waitedOf({ phases }: Story, end: number): number {
  return phases.reduce((sum, { at, data }, index) => {
    if (data.phase !== "waiting") return sum;
    return sum + Math.max(0, (phases[index + 1]?.at ?? end) - at);
  }, 0);
}
