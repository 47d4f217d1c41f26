import { Ban, CircleCheck, CircleX, CornerDownRight, LoaderCircle, Wrench } from "lucide-react";
import type { ReactNode } from "react";
import type { Job } from "../../../../src/contract/job.ts";
import { formatDuration } from "../../../../src/contract/units.ts";
import { visibleLine, visibleText } from "../../text/visible-text.ts";
import { useJobEvents } from "../events/job-events-provider.tsx";
import { useReplay } from "../replay/replay-moment.tsx";
import { type Step, type Story, storyOf } from "../replay/story.ts";
import { type Cause, causeOf, endOfStep } from "./cause.ts";
import { FixButton } from "./fix-button.tsx";
import { LastWords } from "./last-words.tsx";
import { Panel } from "./panel.tsx";
import { PhaseBars } from "./phase-bars.tsx";
import { coarsePhasesOf, phasesOf } from "./phases.ts";

/** How a job went: its phases as bars, and when it failed the cause with the fix. */
export function WhyCard({ job }: { job: Job }) {
  const { events, complete } = useJobEvents();
  const story = storyOf(events);
  const phases = complete ? phasesOf(job, story) : coarsePhasesOf(job);
  const cause = complete || job.reason === null ? causeOf(job, story) : null;
  return (
    <Panel title={job.phase === "ended" ? "How it went" : "How it goes"}>
      <Verdict job={job} story={story} />
      {job.reason !== null && (
        <div className="mt-3 flex flex-col gap-3">
          {job.reason.hint !== "" && (
            <p className="untrusted flex items-start gap-2 text-sm text-soft">
              <Wrench aria-label="The fix:" className="mt-0.5 size-4 shrink-0 text-quiet" />
              <span className="min-w-0">
                <Hint text={visibleText(job.reason.hint)} />
              </span>
            </p>
          )}
          {cause !== null && <CauseView job={job} cause={cause} />}
        </div>
      )}
      <div className="mt-4">
        <PhaseBars job={job} phases={phases} failed={job.status === "error"} />
      </div>
    </Panel>
  );
}

function Verdict({ job, story }: { job: Job; story: Story }) {
  const { status, reason, timings } = job;
  const took =
    timings.ended_at === null
      ? null
      : formatDuration(Date.parse(timings.ended_at) - Date.parse(timings.scheduled_at));
  const count = story.steps.length;
  const steps = count === 0 ? "" : ` and ${count.toLocaleString()} ${count === 1 ? "step" : "steps"}`;
  if (status === "complete")
    return (
      <Sentence icon={<CircleCheck className="text-good" />}>
        Complete after {took}
        {steps}.
      </Sentence>
    );
  if (status === "error" || status === "cancelled")
    return (
      <Sentence icon={status === "error" ? <CircleX className="text-bad" /> : <Ban className="text-quiet" />}>
        {visibleText(reason?.message ?? "It ended without a reason.")}
      </Sentence>
    );
  return (
    <Sentence icon={<LoaderCircle className="animate-spin text-accent [animation-duration:2.4s]" />}>
      {status === "pending"
        ? "It has not begun yet."
        : `It is at work${count === 0 ? "" : `, at step ${count}`}.`}
    </Sentence>
  );
}

function Sentence({ icon, children }: { icon: ReactNode; children: ReactNode }) {
  return (
    <p className="flex items-start gap-2 font-medium text-base [&>svg]:mt-[3px] [&>svg]:size-4 [&>svg]:shrink-0">
      {icon}
      <span className="untrusted min-w-0">{children}</span>
    </p>
  );
}

/** What stands between backticks is something to type. */
function Hint({ text }: { text: string }) {
  return Array.from(text.split("`").entries(), ([place, part]) =>
    place % 2 === 1 ? (
      <code key={place} className="rounded-sm bg-sunken px-1 text-[0.92em] text-ink">
        {part}
      </code>
    ) : (
      part
    ),
  );
}

function CauseView({ job, cause }: { job: Job; cause: Cause }) {
  const { step, figures, fixes } = cause;
  return (
    <>
      {figures.length > 0 && (
        <dl className="flex flex-wrap gap-x-6 gap-y-2">
          {figures.map(({ name, value }) => (
            <div key={name}>
              <dt className="text-quiet text-xs">{name}</dt>
              <dd className="untrusted tabular font-semibold text-base">{value}</dd>
            </div>
          ))}
        </dl>
      )}
      {step !== null && <StepView job={job} step={step} />}
      {fixes.length > 0 && (
        <div className="flex flex-wrap gap-2">
          {fixes.map((fix, place) => (
            <FixButton key={fix.label} job={job} fix={fix} first={place === 0} />
          ))}
        </div>
      )}
    </>
  );
}

function StepView({ job, step }: { job: Job; step: Step }) {
  const { seek } = useReplay();
  return (
    <div className="overflow-hidden rounded-md border">
      <div className="flex flex-wrap items-center gap-x-3 gap-y-1 bg-sunken px-3 py-2 text-sm">
        <span className="font-medium">Step {step.number}</span>
        <code className="untrusted line-clamp-2 min-w-0 flex-1 basis-48 text-soft text-xs">
          {visibleLine(step.title)}
        </code>
        <span className="text-bad text-xs">{endOfStep(step)}</span>
        {job.phase === "ended" && (
          <button
            type="button"
            onClick={() => seek(step.ended?.at ?? step.at)}
            className="flex items-center gap-1 rounded-sm text-accent text-xs hover:underline"
          >
            <CornerDownRight aria-hidden className="size-3.5" />
            Show that moment
          </button>
        )}
      </div>
      <LastWords job={job} step={step} />
    </div>
  );
}
