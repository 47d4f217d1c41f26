import type { Job } from "../../../../src/contract/job.ts";
import { formatCost, formatCount, formatDuration, formatSize } from "../../../../src/contract/units.ts";
import { visibleLine } from "../../text/visible-text.ts";
import { Skeleton } from "../../ui/skeleton.tsx";
import { useJobEvents } from "../events/job-events-provider.tsx";
import { cpuPercent } from "../metrics/metric-series.ts";
import { Panel } from "../overview/panel.tsx";
import { StageCapture } from "./stage-capture.tsx";
import { StageFiles } from "./stage-files.tsx";
import { StageOutput } from "./stage-output.tsx";
import { type Step, type Story, storyOf } from "./story.ts";
import { countOf, lastUntil } from "./times.ts";

/** The job as it was at one moment: its screen, what the step wrote so far, the files so far, and what it had used up. */
export function Stage({ job, at }: { job: Job; at: number }) {
  const { events, complete } = useJobEvents();
  const story = storyOf(events);
  if (!complete && story.to <= at)
    return (
      <Panel title="At that moment">
        <Skeleton className="h-16" />
      </Panel>
    );
  const capture = lastUntil(story.captures, at);
  const step = lastUntil(story.steps, at);
  return (
    <>
      <StageStep job={job} story={story} step={step} at={at} />
      {story.captures.length > 0 && <StageCapture job_id={job.job_id} capture={capture} />}
      {step !== null && <StageOutput job_id={job.job_id} events={events} step={step} at={at} />}
      <StageFiles job_id={job.job_id} story={story} at={at} />
    </>
  );
}

/** What it was at, and what it had used up until then. */
function StageStep({ job, story, step, at }: { job: Job; story: Story; step: Step | null; at: number }) {
  const phase = lastUntil(story.phases, at)?.data.phase ?? "queued";
  return (
    <Panel
      title={
        step === null ? "At that moment" : `Step ${step.number} of ${story.steps.length} ${stateOf(step, at)}`
      }
    >
      {step === null ? (
        <p className="text-base">The job was {PHASES[phase]}.</p>
      ) : (
        <code className="untrusted line-clamp-2 text-ink text-sm">{visibleLine(step.title)}</code>
      )}
      <StageUsage job={job} story={story} at={at} />
    </Panel>
  );
}

function stateOf(step: Step, at: number): string {
  if (step.ended === null || step.ended.at > at) return `had run for ${formatDuration(at - step.at)}`;
  return step.ended.data.ok ? "was done" : "had failed";
}

const PHASES = {
  queued: "waiting for a free place",
  starting: "starting: its container was made ready",
  working: "at work, before its first step",
  waiting: "waiting for a person",
  packing: "packing its files",
  ended: "over",
};

function StageUsage({ job, story, at }: { job: Job; story: Story; at: number }) {
  const { spent, samples, linked_at } = story;
  const so_far = lastUntil(spent, at);
  const has_price = (spent.at(-1)?.cost_usd ?? 0) > 0;
  const count = countOf(samples, at);
  const sample = samples[count - 1];
  const before =
    samples[count - 2] ?? (linked_at === null ? undefined : { at: linked_at, data: { cpu_ms: 0 } });
  const cpu =
    sample === undefined || before === undefined ? null : cpuPercent(before, sample, job.limits.cpus);
  const figures: [name: string, value: string][] = [
    ...(spent.length === 0
      ? []
      : ([
          ["Tokens", formatCount(so_far?.tokens ?? 0)],
          ...(has_price ? [["Cost", formatCost(so_far?.cost_usd ?? 0)] satisfies [string, string]] : []),
          ["Model calls", formatCount(so_far?.calls ?? 0)],
        ] satisfies [string, string][])),
    ...(samples.length === 0
      ? []
      : ([
          ["CPU", cpu === null ? "–" : `${Math.round(cpu)}%`],
          ["Memory", sample === undefined ? "–" : formatSize(sample.data.memory_bytes)],
          ["Processes", sample === undefined ? "–" : sample.data.pids.toLocaleString()],
        ] satisfies [string, string][])),
  ];
  if (figures.length === 0) return null;
  return (
    <dl className="mt-3 flex flex-wrap gap-x-7 gap-y-2 border-t pt-3">
      {figures.map(([name, value]) => (
        <div key={name} className="min-w-14">
          <dt className="text-quiet text-xs">{name}</dt>
          <dd className="tabular font-semibold text-base">{value}</dd>
        </div>
      ))}
    </dl>
  );
}
