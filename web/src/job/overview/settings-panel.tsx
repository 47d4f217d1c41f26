import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";
import type { Job } from "../../../../src/contract/job.ts";
import { formatCost, formatCount, formatSize, formatSpan } from "../../../../src/contract/units.ts";
import { CopyButton } from "../../ui/copy-button.tsx";
import { useJobEvents } from "../events/job-events-provider.tsx";
import { storyOf } from "../replay/story.ts";
import { Fact, Facts, Panel } from "./panel.tsx";

const POLICIES: Record<Job["egress"]["policy"], string> = {
  none: "Nothing",
  allow: "Only the hosts that are named",
  packages: "Package registries",
  internet: "The whole internet",
};
const APPROVALS: Record<Job["approval"]["policy"], string> = {
  never: "It never asks",
  risky: "It asks before what is risky",
  always: "It asks before each step",
};

/** What the job runs with. */
export function SettingsPanel({ job }: { job: Job }) {
  const { events } = useJobEvents();
  const { limits, egress, approval } = job;
  const opened = new Set(storyOf(events).opened.map(({ data }) => data.host));
  const labels = Object.entries(job.labels);
  return (
    <Panel title="What it runs with">
      <div className="grid gap-x-10 gap-y-2 pt-1 @2xl:grid-cols-2">
        <Facts>
          <Fact name="Agent">{job.agent}</Fact>
          {job.model !== null && <Fact name="Model">{job.model}</Fact>}
          <Fact name="Template">{job.template}</Fact>
          <Fact name="Reaches">
            {POLICIES[egress.policy]}
            <Hosts hosts={egress.hosts} />
            {opened.size > 0 && (
              <>
                <span className="mt-1 block text-quiet text-xs">Opened for this job</span>
                <Hosts hosts={[...opened]} />
              </>
            )}
          </Fact>
          <Fact name="Approval">
            {APPROVALS[approval.policy]}
            {approval.policy !== "never" &&
              approval.timeout_s !== null &&
              `, and takes silence for ${formatSpan(approval.timeout_s)} as a no`}
          </Fact>
          <Fact name="Budget">{budgetOf(job)}</Fact>
        </Facts>
        <Facts>
          <Fact name="CPUs">{limits.cpus}</Fact>
          <Fact name="Memory">{formatSize(limits.memory_bytes)}</Fact>
          <Fact name="Disk">{formatSize(limits.disk_bytes)}</Fact>
          <Fact name="Processes">{limits.pids.toLocaleString()}</Fact>
          <Fact name="Time">
            {formatSpan(limits.timeout_s)}, idle {formatSpan(limits.idle_timeout_s)}
          </Fact>
          {job.linger_s > 0 && <Fact name="Stays open">{formatSpan(job.linger_s)} after an answer</Fact>}
          {job.priority !== 0 && <Fact name="Priority">{job.priority}</Fact>}
          {job.patch && <Fact name="Patch">Kept: what changed of the files that were sent</Fact>}
          {labels.length > 0 && (
            <Fact name="Labels">
              <span className="flex flex-wrap gap-1">
                {labels.map(([name, value]) => (
                  <Link
                    key={name}
                    to="/"
                    search={{ label: value === "" ? name : `${name}=${value}` }}
                    className="rounded-full border px-2 text-soft text-xs leading-5 hover:bg-hover hover:text-ink"
                  >
                    {name}
                    {value !== "" && <span className="text-quiet">={value}</span>}
                  </Link>
                ))}
              </span>
            </Fact>
          )}
          {job.retry_of !== null && (
            <Fact name="Retry of">
              <JobLink id={job.retry_of} />
            </Fact>
          )}
          <Fact name="Job">
            <span className="flex items-center gap-1">
              <span className="min-w-0 truncate font-mono text-xs">{job.job_id}</span>
              <CopyButton text={job.job_id} label="Copy the id" />
            </span>
          </Fact>
        </Facts>
      </div>
    </Panel>
  );
}

function Hosts({ hosts }: { hosts: readonly string[] }): ReactNode {
  const SHOWN = 12;
  if (hosts.length === 0) return null;
  return (
    <ul className="mt-1 flex flex-wrap gap-1">
      {hosts.slice(0, SHOWN).map((host) => (
        <li key={host} className="untrusted rounded-sm bg-sunken px-1.5 font-mono text-xs leading-5">
          {host}
        </li>
      ))}
      {hosts.length > SHOWN && (
        <li className="text-quiet text-xs leading-5">and {hosts.length - SHOWN} more</li>
      )}
    </ul>
  );
}

function JobLink({ id }: { id: string }) {
  return (
    <Link to="/job/$id" params={{ id }} className="font-mono text-accent text-xs hover:underline">
      {id}
    </Link>
  );
}

function budgetOf({ budget }: Job): string {
  const parts = [
    ...(budget.max_tokens === null ? [] : [`${formatCount(budget.max_tokens)} tokens`]),
    ...(budget.max_cost_usd === null ? [] : [formatCost(budget.max_cost_usd)]),
    ...(budget.max_calls === null ? [] : [`${formatCount(budget.max_calls)} calls`]),
  ];
  return parts.length === 0 ? "No bounds" : `At most ${parts.join(", ")}`;
}
