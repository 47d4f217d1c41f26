import { type ReactNode, useMemo } from "react";
import type { Job } from "../../../src/contract/job.ts";
import {
  formatCost,
  formatCount,
  formatDuration,
  formatSize,
  formatSpan,
  formatWholeSeconds,
} from "../../../src/contract/units.ts";
import { visibleLine } from "../text/visible-text.ts";
import { useNow } from "../ui/clock.ts";
import { Tip } from "../ui/tip.tsx";
import { useJobEvents } from "./events/job-events-provider.tsx";
import { hasKnownCost } from "./known-cost.ts";

/** The figures of a job in one line: its time, what it has used of what it may, and what it runs with. */
export function JobMeters({ job }: { job: Job }) {
  const { usage, budget, limits } = job;
  const tokens = usage.input_tokens + usage.output_tokens;
  const latest = useLatestMetrics();
  const memory = Math.max(usage.memory_peak_bytes, latest?.memory_peak_bytes ?? 0);
  const cpu_ms = Math.max(usage.cpu_ms, latest?.cpu_ms ?? 0);
  const calls = usage.model_calls;
  return (
    <div className="flex items-center gap-x-4 gap-y-1 overflow-x-auto whitespace-nowrap text-quiet text-xs [scrollbar-width:none] sm:flex-wrap">
      <Clock job={job} />
      {calls > 0 && (
        <>
          <Meter
            name="Tokens"
            tip={`${formatCount(usage.input_tokens)} in, ${formatCount(usage.output_tokens)} out`}
            value={formatCount(tokens)}
            used={tokens}
            most={budget.max_tokens}
            format={formatCount}
          />
          {hasKnownCost(job) && (
            <Meter
              name="Cost"
              tip="What the models cost so far"
              value={formatCost(usage.cost_usd)}
              used={usage.cost_usd}
              most={budget.max_cost_usd}
              format={formatCost}
            />
          )}
          <Meter
            name="Calls"
            tip="Calls of models"
            value={String(calls)}
            used={calls}
            most={budget.max_calls}
            format={String}
          />
        </>
      )}
      {cpu_ms > 0 && (
        <Meter
          name="CPU"
          tip={`Of ${limits.cpus} cores`}
          value={formatDuration(cpu_ms)}
          used={0}
          most={null}
          format={String}
        />
      )}
      {memory > 0 && (
        <Meter
          name="Memory"
          tip="The most that it took at once"
          value={formatSize(memory)}
          used={memory}
          most={limits.memory_bytes}
          format={formatSize}
        />
      )}
      <span aria-hidden className="h-3 w-px bg-line max-sm:hidden" />
      <span>
        {job.agent}
        {job.model !== null && <span className="untrusted"> · {visibleLine(job.model)}</span>}
        <span className="untrusted"> · {visibleLine(job.template)}</span>
      </span>
      {Object.entries(job.labels).map(([name, value]) => (
        <span key={name} className="untrusted max-w-56 truncate rounded-sm bg-sunken px-1.5 text-soft">
          {visibleLine(value === "" ? name : `${name}=${value}`)}
        </span>
      ))}
    </div>
  );
}

function useLatestMetrics() {
  const { events } = useJobEvents();
  return useMemo(() => {
    const last = events.findLast(({ type }) => type === "metrics.sampled");
    return last?.type === "metrics.sampled" ? last.data : null;
  }, [events]);
}

/** How long the agent has been at work, of how long it may. */
function Clock({ job }: { job: Job }) {
  const { started_at, ended_at, scheduled_at } = job.timings;
  const now = useNow(ended_at === null);
  const end = ended_at === null ? now : Date.parse(ended_at);
  if (started_at === null)
    return (
      <span className="tabular">
        {job.phase === "ended"
          ? "Never began"
          : `Waiting for ${formatWholeSeconds(Math.max(0, (end - Date.parse(scheduled_at)) / 1000))}`}
      </span>
    );
  const seconds = Math.max(0, Math.round((end - Date.parse(started_at)) / 1000));
  const { timeout_s } = job.limits;
  return (
    <Meter
      name="Time"
      tip={`It may take ${formatSpan(timeout_s)}`}
      value={formatWholeSeconds(seconds)}
      used={seconds}
      most={timeout_s}
      format={formatSpan}
    />
  );
}

type MeterProps = {
  name: string;
  tip: string;
  value: string;
  used: number;
  most: number | null;
  format: (value: number) => string;
};

/** From here on the bound is near. */
const NEAR_SHARE = 0.85;

function Meter({ name, tip, value, used, most, format }: MeterProps) {
  const share = most === null || most === 0 ? null : Math.min(1, used / most);
  const bound: ReactNode = most === null ? null : <span className="text-quiet"> of {format(most)}</span>;
  const near = share !== null && share >= NEAR_SHARE;
  return (
    <Tip text={tip}>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what the tip says must be reached by keyboard. */}
      <span tabIndex={0} className="tabular inline-flex shrink-0 items-center gap-1.5 rounded-sm">
        <span>{name}</span>
        <span className={near ? "font-medium text-warn" : "font-medium text-soft"}>{value}</span>
        {bound}
        {share !== null && (
          <span aria-hidden className="h-1 w-8 overflow-hidden rounded-full bg-sunken">
            <span
              className={near ? "block h-full bg-warn" : "block h-full bg-accent"}
              style={{ width: `${Math.max(3, share * 100)}%` }}
            />
          </span>
        )}
      </span>
    </Tip>
  );
}
