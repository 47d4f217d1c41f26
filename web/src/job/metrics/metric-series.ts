import type { Timed } from "../replay/story.ts";

/** Samples as charts take them: one array each, of one length, ascending by time. */
export type MetricSeries = {
  /** Ms since the job was scheduled. */
  at: number[];
  /** Of all cpus that the job may have, in percent, as it was on average since the sample before. */
  cpu_percent: (number | null)[];
  memory_bytes: number[];
  /** The most until then. */
  memory_peak_bytes: number[];
  disk_bytes: (number | null)[];
  pids: number[];
};

/** `from` is when the job was scheduled, `started_at` when its sandbox was there, both in ms since the epoch. */
export function seriesOf(
  samples: readonly Timed<"metrics.sampled">[],
  { from, started_at, cpus }: { from: number; started_at: number | null; cpus: number },
): MetricSeries {
  const series: MetricSeries = {
    at: [],
    cpu_percent: [],
    memory_bytes: [],
    memory_peak_bytes: [],
    disk_bytes: [],
    pids: [],
  };
  let before: CpuUse | null = started_at === null ? null : { at: started_at, data: { cpu_ms: 0 } };
  for (const sample of samples) {
    const { memory_bytes, memory_peak_bytes, disk_bytes, pids } = sample.data;
    series.at.push(sample.at - from);
    series.memory_bytes.push(memory_bytes);
    series.memory_peak_bytes.push(memory_peak_bytes);
    series.disk_bytes.push(disk_bytes);
    series.pids.push(pids);
    const percent: number | null = before === null ? null : cpuPercent(before, sample, cpus);
    series.cpu_percent.push(percent);
    if (percent !== null || before === null) before = sample;
  }
  return series;
}

/** After a connection was lost samples arrive together; how long they were apart is not known then. */
const APART_MIN_MS = 500;

type CpuUse = { at: number; data: { cpu_ms: number } };

/** How much of the cpus that a job may have it used between two samples, in percent; null when they are too close. */
export function cpuPercent(before: CpuUse, after: CpuUse, cpus: number): number | null {
  const passed_ms = after.at - before.at;
  if (passed_ms < APART_MIN_MS) return null;
  // A sandbox that took over counts from nothing.
  const continues = after.data.cpu_ms >= before.data.cpu_ms;
  const used_ms = after.data.cpu_ms - (continues ? before.data.cpu_ms : 0);
  return (100 * used_ms) / (passed_ms * cpus);
}

/** About `rows_max` of the indices of a series, evenly, the first and the last among them. */
export function thinned(length: number, rows_max: number): number[] {
  if (length <= rows_max) return Array.from({ length }, (_, index) => index);
  return Array.from({ length: rows_max }, (_, row) => Math.round((row * (length - 1)) / (rows_max - 1)));
}
