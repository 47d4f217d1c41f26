import { useMemo } from "react";
import type { Job } from "../../../../src/contract/job.ts";
import { formatCost, formatCount, formatDuration, formatSize } from "../../../../src/contract/units.ts";
import { visibleLine } from "../../text/visible-text.ts";
import { useJobEvents } from "../events/job-events-provider.tsx";
import { Panel } from "../overview/panel.tsx";
import { Meter, Meters } from "../overview/usage-panel.tsx";
import { StageCapture } from "./stage-capture.tsx";
import { StageFiles } from "./stage-files.tsx";
import { StageOutput } from "./stage-output.tsx";
import { type Step, type Story, storyOf } from "./story.ts";
import { countOf, lastUntil } from "./times.ts";

/** The job as it was at one moment: its screen, what the step wrote so far, the files so far, and what it had used up. */
export function Stage({ job, at }: { job: Job; at: number }) {
  const { events } = useJobEvents();
  const story = storyOf(events);
  const capture = lastUntil(story.captures, at);
  const step = lastUntil(story.steps, at);
  return (
    <>
      <StageStep story={story} step={step} at={at} />
      {story.captures.length > 0 && <StageCapture job_id={job.job_id} capture={capture} />}
      {step !== null && <StageOutput job_id={job.job_id} events={events} step={step} at={at} />}
      <StageFiles job_id={job.job_id} story={story} at={at} />
      <StageUsage job={job} story={story} at={at} />
    </>
  );
}

function StageStep({ story, step, at }: { story: Story; step: Step | null; at: number }) {
  const phase = lastUntil(story.phases, at)?.data.phase ?? "queued";
  if (step === null)
    return (
      <Panel title="At that moment">
        <p className="text-base">The job was {PHASES[phase]}.</p>
      </Panel>
    );
  const ended = step.ended !== null && step.ended.at <= at ? step.ended : null;
  const state =
    ended === null ? `ran for ${formatDuration(at - step.at)}` : ended.data.ok ? "was done" : "had failed";
  return (
    <Panel title={`Step ${step.number} of ${story.steps.length} ${state}`}>
      <code className="untrusted line-clamp-3 text-ink text-sm">{visibleLine(step.title)}</code>
    </Panel>
  );
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
  const { spent, samples } = story;
  const so_far = lastUntil(spent, at);
  const count = countOf(samples, at);
  const sample = samples[count - 1];
  const before = samples[count - 2];
  const cpu = useMemo(() => {
    if (sample === undefined || before === undefined || sample.at <= before.at) return null;
    const used = Math.max(0, sample.data.cpu_ms - before.data.cpu_ms);
    return (100 * used) / ((sample.at - before.at) * job.limits.cpus);
  }, [sample, before, job.limits.cpus]);
  if (spent.length === 0 && samples.length === 0) return null;
  return (
    <Panel title="Used until then">
      <Meters>
        {spent.length > 0 && (
          <>
            <Meter
              name="Tokens"
              value={formatCount(so_far?.tokens ?? 0)}
              used={so_far?.tokens ?? 0}
              bound={job.budget.max_tokens}
              format={formatCount}
            />
            <Meter
              name="Cost"
              value={formatCost(so_far?.cost_usd ?? 0)}
              used={so_far?.cost_usd ?? 0}
              bound={job.budget.max_cost_usd}
              format={formatCost}
            />
            <Meter name="Model calls" value={formatCount(so_far?.calls ?? 0)} />
          </>
        )}
        <Meter
          name="CPU"
          value={cpu === null ? "–" : `${Math.round(cpu)}%`}
          used={cpu ?? 0}
          bound={100}
          format={(value) => `${value}%`}
        />
        <Meter
          name="Memory"
          value={sample === undefined ? "–" : formatSize(sample.data.memory_bytes)}
          used={sample?.data.memory_bytes ?? 0}
          bound={job.limits.memory_bytes}
          format={formatSize}
        />
        <Meter name="Processes" value={sample === undefined ? "–" : sample.data.pids.toLocaleString()} />
      </Meters>
    </Panel>
  );
}
