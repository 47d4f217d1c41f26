import assert from "node:assert/strict";
import { test } from "node:test";
import type { Phase } from "../contract/job.ts";
import { Egress, JobRequest } from "../contract/job.ts";
import { Limits } from "../contract/limits.ts";
import type { SandboxStatus } from "./driver.ts";
import { initialState } from "./lifecycle.ts";
import { leftovers, reconcile } from "./reconcile.ts";
import type { JobRecord } from "./store.ts";

const job = (
  job_id: string,
  phase: Phase,
  sandbox_id: string | null,
  cancel_requested = false,
): JobRecord => ({
  job_id,
  owner: "o",
  scheduled_at: "2026-01-01T00:00:00.000Z",
  request: { ...JobRequest.parse({ prompt: "x" }), template: "base", egress: Egress.parse({}) },
  limits: Limits.parse({}),
  retry_of: null,
  has_upload: false,
  state: {
    ...initialState(),
    phase,
    cancel_requested,
    sandbox_id,
    volume: sandbox_id === null ? null : `v-${sandbox_id}`,
  },
});
const sandbox = (id: string, state: SandboxStatus["state"]): SandboxStatus => ({
  id,
  job_id: null,
  volume: `v-${id}`,
  state,
  exit_code: null,
  reason: null,
  printed: "",
});

test("what was only queued waits again; a queued job that was cancelled is ended instead", () => {
  const { queue, resume } = reconcile([job("q", "queued", null), job("c", "queued", null, true)], []);
  assert.deepEqual(
    queue.map(({ job_id }) => job_id),
    ["q"],
  );
  assert.deepEqual(
    resume.map(({ job, ending }) => [job.job_id, ending]),
    [["c", null]],
  );
});

test("a working job goes on when its sandbox runs, and ends as orchestrator_lost when that is gone", () => {
  const { resume } = reconcile(
    [job("alive", "working", "s1"), job("gone", "working", "s2"), job("dead", "working", "s3")],
    [sandbox("s1", "running"), sandbox("s3", "exited")],
  );
  assert.deepEqual(
    resume.map(({ job, ending }) => [job.job_id, ending?.reason?.code ?? null]),
    [
      ["alive", null],
      ["gone", "orchestrator_lost"],
      ["dead", "orchestrator_lost"],
    ],
  );
});

test("a job that was starting or packing is taken up again whatever became of its sandbox", () => {
  const { resume } = reconcile([job("a", "starting", "s1"), job("b", "packing", "s2")], []);
  assert.deepEqual(
    resume.map(({ ending }) => ending),
    [null, null],
  );
});

test("sandboxes and volumes of no unended job are left over; a replaced sandbox goes without its job's volume", () => {
  const replaced = { ...sandbox("s-old", "exited"), volume: "v-s1" };
  const volume = { ...sandbox("x", "volume_only"), id: null, volume: "v-lonely" };
  const kept = { ...volume, volume: "v-s1" };
  assert.deepEqual(
    leftovers(
      [job("a", "working", "s1")],
      [sandbox("s1", "running"), sandbox("s9", "exited"), replaced, volume, kept],
    ),
    {
      sandboxes: [
        { id: "s9", keep_volume: false },
        { id: "s-old", keep_volume: true },
      ],
      volumes: ["v-lonely"],
    },
  );
});
