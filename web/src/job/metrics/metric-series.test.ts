import assert from "node:assert/strict";
import { test } from "node:test";
import { seriesOf, thinned } from "./metric-series.ts";

const sample = (at: number, cpu_ms: number) => ({
  at,
  data: { cpu_ms, memory_bytes: 10, memory_peak_bytes: 20, disk_bytes: null, pids: 3 },
});

test("the use of cpus is what came since the sample before, of all that the job may have", () => {
  const { at, cpu_percent } = seriesOf([sample(1_000, 500), sample(6_000, 5_500), sample(11_000, 15_500)], {
    from: 1_000,
    started_at: null,
    cpus: 2,
  });
  assert.deepEqual(at, [0, 5_000, 10_000]);
  assert.deepEqual(cpu_percent, [null, 50, 100]);
});

test("the first sample is held against the start of the sandbox", () => {
  const { cpu_percent } = seriesOf([sample(6_000, 1_000)], { from: 0, started_at: 4_000, cpus: 1 });
  assert.deepEqual(cpu_percent, [50]);
});

test("a sandbox that took over counts from nothing, and samples that arrived together are held against the one before", () => {
  const { cpu_percent } = seriesOf(
    [sample(0, 9_000), sample(5_000, 2_500), sample(5_010, 4_000), sample(10_000, 5_000)],
    {
      from: 0,
      started_at: null,
      cpus: 1,
    },
  );
  assert.deepEqual(cpu_percent, [null, 50, null, 50]);
});

test("a long series is thinned evenly, and keeps its ends", () => {
  assert.deepEqual(thinned(3, 5), [0, 1, 2]);
  assert.deepEqual(thinned(101, 5), [0, 25, 50, 75, 100]);
});
