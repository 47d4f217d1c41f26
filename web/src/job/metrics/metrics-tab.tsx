import { Gauge } from "lucide-react";
import { useMemo, useState } from "react";
import type { Job } from "../../../../src/contract/job.ts";
import { formatDuration, formatSize } from "../../../../src/contract/units.ts";
import { Empty } from "../../ui/empty.tsx";
import { Skeleton } from "../../ui/skeleton.tsx";
import { useJobEvents } from "../events/job-events-provider.tsx";
import { useReplay } from "../replay/replay-moment.tsx";
import { storyOf } from "../replay/story.ts";
import { countUntil } from "../replay/times.ts";
import { Chart, type ChartSpec } from "./chart.tsx";
import { type MetricSeries, seriesOf } from "./metric-series.ts";
import { MetricsTable } from "./metrics-table.tsx";

type Metric = {
  name: string;
  values: (series: MetricSeries) => (number | null)[];
  /** The most until each sample, where it is told; else the most of the samples. */
  peaks?: (series: MetricSeries) => number[];
  spec: ChartSpec;
  /** What it may be at most, in words. */
  bound: string;
};

/** What the sandbox of a job used, as it was sampled every 5 s. */
export function MetricsTab({ job }: { job: Job }) {
  const { events, complete } = useJobEvents();
  const { at, seek } = useReplay();
  const story = storyOf(events);
  const { samples, steps, linked_at } = story;
  const from = Date.parse(job.timings.scheduled_at);
  const { cpus } = job.limits;
  const count = samples.length;
  const series = useMemo(
    () => (count >= 0 ? seriesOf(samples, { from, started_at: linked_at, cpus }) : null),
    [samples, count, from, linked_at, cpus],
  );
  const metrics = useMetrics(job);
  const [hovered, setHovered] = useState<number | null>(null);
  const [first, last] = [series?.at[0], series?.at.at(-1)];
  const begin = Math.min(first ?? 0, linked_at === null ? Number.POSITIVE_INFINITY : linked_at - from);
  const span = useMemo(() => ({ from: Math.max(0, begin), to: last ?? 1 }), [begin, last]);
  const step_count = steps.length;
  const marks = useMemo(
    () =>
      step_count >= 0
        ? steps.map((step) => ({ at: step.at - from, failed: step.ended?.data.ok === false }))
        : [],
    [steps, step_count, from],
  );
  if (series === null || series.at.length < 2) return <TooFew job={job} loading={!complete} />;
  const moment = at === null ? null : at - from;
  const then = moment === null ? series.at.length - 1 : countUntil(series.at, moment) - 1;
  const shown = hovered ?? then;
  const ended = job.phase === "ended";
  return (
    <div className="@container min-h-0 flex-1 overflow-y-auto p-4">
      <div className="grid grid-cols-1 gap-4 @3xl:grid-cols-2">
        {metrics.map((metric) => (
          <MetricPanel
            key={metric.name}
            metric={metric}
            series={series}
            shown={shown}
            chart={{
              steps: marks,
              span,
              group: job.job_id,
              moment,
              onPick: ended ? (picked) => seek(from + picked) : null,
              onHover: setHovered,
            }}
          />
        ))}
      </div>
      <p className="mt-3 text-quiet text-xs">
        Sampled every 5 s. Ticks on the ground are steps; red lines are steps that failed.
        {ended && " A click shows the job at that moment."}
      </p>
      <MetricsTable series={series} metrics={metrics} />
    </div>
  );
}

function MetricPanel({
  metric,
  series,
  shown,
  chart,
}: {
  metric: Metric;
  series: MetricSeries;
  shown: number;
  chart: Omit<Parameters<typeof Chart>[0], "spec" | "data">;
}) {
  const values = metric.values(series);
  const peaks = metric.peaks?.(series);
  const data = useMemo(
    (): [number[], ...(number | null)[][]] => [series.at, values, ...(peaks === undefined ? [] : [peaks])],
    [series, values, peaks],
  );
  const value = values[shown] ?? null;
  const peak = (peaks ?? values).reduce<number>((most, one) => Math.max(most, one ?? 0), 0);
  const { format } = metric.spec;
  return (
    <section aria-label={metric.name} className="min-w-0 rounded-lg border bg-panel">
      <header className="flex flex-wrap items-baseline gap-x-2 px-3 pt-2.5">
        <h2 className="font-medium text-sm">{metric.name}</h2>
        <span className="tabular font-semibold text-base">{value === null ? "–" : format(value)}</span>
        <span className="tabular ml-auto text-quiet text-xs">
          peak {format(peak)} · {metric.bound}
        </span>
      </header>
      <div className="px-1 pb-1">
        <Chart {...chart} spec={metric.spec} data={data} />
      </div>
    </section>
  );
}

const KIB = 1024;
/** Axes of sizes count in halves and doubles. */
const SIZE_STEPS = Array.from({ length: 44 }, (_, power) => KIB * 2 ** power);
const COUNT_STEPS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000];

function useMetrics({ limits }: Job): Metric[] {
  const { cpus, memory_bytes, disk_bytes, pids } = limits;
  return useMemo(
    () => [
      {
        name: "CPU",
        values: (series) => series.cpu_percent,
        bound: `100% is ${cpus} ${cpus === 1 ? "cpu" : "cpus"}`,
        spec: { colour: "accent", limit: 100, top: 10, format: (value) => `${Math.round(value)}%` },
      },
      {
        name: "Memory",
        values: (series) => series.memory_bytes,
        peaks: (series) => series.memory_peak_bytes,
        bound: `limit ${formatSize(memory_bytes)}`,
        spec: {
          colour: "other",
          peaks: true,
          limit: memory_bytes,
          top: 4 * KIB * KIB,
          format: formatSize,
          steps: SIZE_STEPS,
        },
      },
      {
        name: "Disk",
        values: (series) => series.disk_bytes,
        bound: `limit ${formatSize(disk_bytes)}`,
        spec: {
          colour: "person",
          stepped: true,
          limit: disk_bytes,
          top: 64 * KIB,
          format: formatSize,
          steps: SIZE_STEPS,
        },
      },
      {
        name: "Processes",
        values: (series) => series.pids,
        bound: `limit ${pids.toLocaleString()}`,
        spec: {
          colour: "good",
          stepped: true,
          limit: pids,
          top: 4,
          format: (value) => Math.round(value).toLocaleString(),
          steps: COUNT_STEPS,
        },
      },
    ],
    [cpus, memory_bytes, disk_bytes, pids],
  );
}

function TooFew({ job, loading }: { job: Job; loading: boolean }) {
  const { phase, usage } = job;
  if (loading && phase === "ended") return <Skeleton className="m-4 h-40" />;
  if (phase === "queued" || phase === "starting")
    return (
      <Empty icon={<Gauge />} title="Nothing runs yet">
        Once the sandbox works, its cpu, memory, disk and processes are drawn here.
      </Empty>
    );
  if (phase !== "ended")
    return (
      <Empty icon={<Gauge />} title="The first samples are being taken">
        There is one every 5 seconds.
      </Empty>
    );
  const used = usage.memory_peak_bytes > 0 || usage.cpu_ms > 0;
  return (
    <Empty icon={<Gauge />} title="Too short for curves">
      The sandbox was sampled every 5 seconds, and the job was over before there were two of them.
      {used &&
        ` In all it used ${formatDuration(usage.cpu_ms)} of cpu, and ${formatSize(usage.memory_peak_bytes)} of memory at most.`}
    </Empty>
  );
}
