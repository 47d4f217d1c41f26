import { Link } from "@tanstack/react-router";
import clsx from "clsx";
import { memo, type ReactNode } from "react";
import type { Job } from "../../../src/contract/job.ts";
import { formatCost, formatCount } from "../../../src/contract/units.ts";
import { oneLine, promptTitle } from "../ui/one-line.ts";
import { JobStatus } from "../ui/status.tsx";
import { Ago, Elapsed } from "../ui/time.tsx";
import { labelFilter } from "./list-search.ts";
import { RowMenu } from "./row-menu.tsx";

/** The columns of the table; the less important ones go first where there is little room. */
export const COLUMNS =
  "grid grid-cols-[8.5rem_minmax(0,1fr)_5rem_4.5rem_2.5rem] items-center gap-x-3 lg:grid-cols-[8.5rem_minmax(0,1fr)_9rem_4rem_4.5rem_5rem_4.5rem_2.5rem] xl:grid-cols-[8.5rem_minmax(0,1fr)_10rem_6rem_4rem_4.5rem_5rem_4.5rem_2.5rem]";
const FROM_LG = "max-lg:hidden";
const FROM_XL = "max-xl:hidden";
const NUMBER = "text-right tabular whitespace-nowrap text-soft text-sm";
/** Labels that a row shows where it has the room. */
const LABELS_SHOWN = 3;
/** What stands beside a task leaves it nearly all of the room. */
const TASK = "max-w-full shrink-0 text-sm";
const TASK_BY_LABELS = "lg:max-w-[calc(100%-8rem)]";

export const HEADINGS: { text: string; className?: string }[] = [
  { text: "Status" },
  { text: "Task" },
  { text: "Agent", className: FROM_LG },
  { text: "Template", className: FROM_XL },
  { text: "Tokens", className: `${FROM_LG} text-right` },
  { text: "Cost", className: `${FROM_LG} text-right` },
  { text: "Duration", className: "text-right" },
  { text: "Age", className: "text-right" },
];

type Props = {
  job: Job;
  /** Whether the keyboard comes here when it comes to the list. */
  current: boolean;
};

/** A job on one line. */
export const WideRow = memo(function WideRow({ job, current }: Props) {
  const title = promptTitle(job.prompt);
  const { usage } = job;
  const tokens = usage.input_tokens + usage.output_tokens;
  return (
    <>
      <Cell className="flex">
        <JobStatus job={job} />
      </Cell>
      <Cell className="flex items-center gap-3">
        <JobLink
          job={job}
          title={title}
          current={current}
          className={clsx(TASK, Object.keys(job.labels).length > 0 && TASK_BY_LABELS)}
        />
        <Remark job={job} />
        <Labels job={job} current={current} />
      </Cell>
      <Cell className={clsx(FROM_LG, "truncate text-sm text-soft")}>
        <span className="untrusted">{job.model ?? job.agent}</span>
        {job.model !== null && <span className="untrusted text-quiet"> · {job.agent}</span>}
      </Cell>
      <Cell className={clsx(FROM_XL, "untrusted truncate text-sm text-soft")}>{job.template}</Cell>
      <Cell className={clsx(FROM_LG, NUMBER)}>{tokens > 0 && formatCount(tokens)}</Cell>
      <Cell className={clsx(FROM_LG, NUMBER)}>{usage.cost_usd > 0 && formatCost(usage.cost_usd)}</Cell>
      <Cell className={NUMBER}>
        <Duration job={job} />
      </Cell>
      <Cell className={clsx(NUMBER, "text-quiet")}>
        <Ago at={job.timings.scheduled_at} short />
      </Cell>
      <Cell>
        <RowMenu job={job} title={title} tabIndex={current ? 0 : -1} />
      </Cell>
    </>
  );
});

/** The same on two lines. */
export const NarrowRow = memo(function NarrowRow({ job, current }: Props) {
  const title = promptTitle(job.prompt);
  const { cost_usd } = job.usage;
  return (
    <>
      <Cell className="flex-1">
        <JobLink job={job} title={title} current={current} className="block text-base" />
        <div className="mt-0.5 flex items-center gap-2 text-quiet text-xs tabular [&>*+*]:before:mr-2 [&>*+*]:before:text-faint [&>*+*]:before:content-['·']">
          <JobStatus job={job} className="text-xs" />
          <Duration job={job} />
          <Ago at={job.timings.scheduled_at} />
          {cost_usd > 0 && <span>{formatCost(cost_usd)}</span>}
        </div>
      </Cell>
      <Cell>
        <RowMenu job={job} title={title} tabIndex={current ? 0 : -1} />
      </Cell>
    </>
  );
});

function Cell({ className, children }: { className?: string; children?: ReactNode }) {
  return <td className={clsx("min-w-0", className)}>{children}</td>;
}

/** The whole row opens the job, but for what lies above it. */
function JobLink({
  job,
  title,
  current,
  className,
}: {
  job: Job;
  title: string;
  current: boolean;
  className: string;
}) {
  return (
    <Link
      to="/job/$id"
      params={{ id: job.job_id }}
      preload={false}
      tabIndex={current ? 0 : -1}
      data-job={job.job_id}
      dir="auto"
      className={clsx(
        "untrusted min-w-0 truncate font-medium outline-none after:absolute after:inset-0 focus-visible:after:-outline-offset-2 focus-visible:after:rounded-md focus-visible:after:outline-2 focus-visible:after:outline-accent",
        className,
      )}
    >
      {title}
    </Link>
  );
}

/** What wants attention: a question, or why the job failed. */
function Remark({ job }: { job: Job }) {
  const [question] = job.approvals;
  if (question !== undefined)
    return (
      <span className="untrusted min-w-0 flex-1 basis-0 truncate text-person text-sm">
        {oneLine(question.title)}
      </span>
    );
  if (job.status !== "error" || job.reason === null) return <span className="flex-1" />;
  return (
    <span className="untrusted min-w-0 flex-1 basis-0 truncate text-quiet text-sm">
      {oneLine(job.reason.message)}
    </span>
  );
}

/** As many as there is room for; all are named when they are pointed at. */
function Labels({ job, current }: { job: Job; current: boolean }) {
  const labels = Object.entries(job.labels);
  if (labels.length === 0) return null;
  const all = labels.map(([name, value]) => oneLine(labelFilter(name, value), 60)).join(", ");
  return (
    <span
      title={all}
      className="flex h-4.5 min-w-0 flex-wrap justify-end gap-1 overflow-hidden max-lg:hidden"
    >
      {labels.slice(0, LABELS_SHOWN).map(([name, value]) => {
        const label = labelFilter(name, value);
        return (
          <Link
            key={name}
            to="/"
            search={(old) => ({ ...old, label })}
            tabIndex={current ? 0 : -1}
            className="untrusted relative max-w-36 truncate rounded-sm border bg-sunken px-1.5 text-2xs text-soft hover:border-line-strong hover:text-ink"
          >
            {oneLine(label, 60)}
          </Link>
        );
      })}
    </span>
  );
}

/** From the moment that its agent began; before that there is nothing to measure. */
function Duration({ job }: { job: Job }) {
  const { started_at, ended_at } = job.timings;
  if (started_at === null) return null;
  return <Elapsed from={started_at} to={ended_at} />;
}
