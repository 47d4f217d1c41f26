import clsx from "clsx";
import type { ReactNode } from "react";
import type { Job } from "../../../../src/contract/job.ts";
import { formatCost, formatCount, formatDuration, formatSize } from "../../../../src/contract/units.ts";
import { hasKnownCost } from "../known-cost.ts";
import { Panel } from "./panel.tsx";

/** From this share of a bound on it is shown as one that is near. */
const NEAR = 0.8;

/** What the job has used, with its bounds where it has some. */
export function UsagePanel({ job }: { job: Job }) {
  const { usage, budget, limits } = job;
  const tokens = usage.input_tokens + usage.output_tokens;
  const bounded = budget.max_calls !== null || budget.max_tokens !== null || budget.max_cost_usd !== null;
  const calls_models = usage.model_calls > 0 || bounded;
  return (
    <Panel title="What it used">
      <Meters>
        {calls_models && (
          <>
            <Meter
              name="Tokens"
              value={formatCount(tokens)}
              note={`${formatCount(usage.input_tokens)} in, ${formatCount(usage.output_tokens)} out`}
              used={tokens}
              bound={budget.max_tokens}
              format={formatCount}
            />
            {hasKnownCost(job) && (
              <Meter
                name="Cost"
                value={formatCost(usage.cost_usd)}
                used={usage.cost_usd}
                bound={budget.max_cost_usd}
                format={formatCost}
              />
            )}
            <Meter
              name="Model calls"
              value={formatCount(usage.model_calls)}
              used={usage.model_calls}
              bound={budget.max_calls}
              format={formatCount}
            />
          </>
        )}
        <Meter name="CPU time" value={formatDuration(usage.cpu_ms)} />
        <Meter
          name="Memory at most"
          value={formatSize(usage.memory_peak_bytes)}
          used={usage.memory_peak_bytes}
          bound={limits.memory_bytes}
          format={formatSize}
        />
        <Meter name="Output" value={formatSize(usage.output_bytes)} />
      </Meters>
    </Panel>
  );
}

export function Meters({ children }: { children: ReactNode }) {
  return <dl className="grid grid-cols-2 gap-x-6 gap-y-4 pt-1 @lg:grid-cols-3">{children}</dl>;
}

/** A figure, and how far it is towards its bound. */
export function Meter({
  name,
  value,
  note,
  used = 0,
  bound = null,
  format = String,
}: {
  name: string;
  value: string;
  note?: string;
  used?: number;
  bound?: number | null;
  format?: (value: number) => string;
}) {
  const share = bound === null || bound === 0 ? null : Math.min(1, used / bound);
  return (
    <div className="min-w-0">
      <dt className="text-quiet text-xs">{name}</dt>
      <dd className="tabular">
        <span className="font-semibold text-lg">{value}</span>
        {bound !== null && <span className="text-quiet text-xs"> of {format(bound)}</span>}
        {note !== undefined && <span className="block text-quiet text-xs">{note}</span>}
        {share !== null && (
          <span aria-hidden className="mt-1 block h-1 overflow-hidden rounded-full bg-hover">
            <span
              className={clsx(
                "block h-full rounded-full",
                share >= 1 ? "bg-bad" : share >= NEAR ? "bg-warn" : "bg-accent",
              )}
              style={{ width: `${Math.max(1, share * 100)}%` }}
            />
          </span>
        )}
      </dd>
    </div>
  );
}
