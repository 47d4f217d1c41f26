import { type Job, NO_USAGE } from "../../../src/contract/job.ts";

/** A job for tests; `n` is its place by age, 0 being the oldest. */
export function job(n: number, change: Partial<Job> = {}): Job {
  const at = new Date(Date.UTC(2026, 2, 1, 10, 0, n)).toISOString();
  return {
    job_id: `01a22460-9666-71d1-b380-${String(n).padStart(12, "0")}`,
    status: "running",
    phase: "working",
    reason: null,
    prompt: `Task ${n}`,
    agent: "script",
    template: "base",
    model: null,
    limits: { cpus: 1, memory_bytes: 1, disk_bytes: 1, pids: 1, timeout_s: 1, idle_timeout_s: 1 },
    egress: { policy: "packages", hosts: [] },
    budget: { max_tokens: null, max_cost_usd: null, max_calls: null },
    approval: { policy: "never", timeout_s: null },
    approvals: [],
    linger_s: 0,
    labels: {},
    priority: 0,
    patch: false,
    retry_of: null,
    timings: {
      scheduled_at: at,
      started_at: at,
      ended_at: null,
      queued_ms: 0,
      starting_ms: 0,
      working_ms: null,
      packing_ms: null,
    },
    usage: NO_USAGE,
    links: {
      status: "",
      events: "",
      logs: "",
      files: "",
      messages: "",
      desktop: "",
      jupyter: "",
      terminal: "",
      ports: "",
      cancel: "",
      download: "",
    },
    result: null,
    ...change,
  };
}

export const ENDED: Partial<Job> = {
  status: "complete",
  phase: "ended",
  result: { summary: "", exit_code: null, artifact: null },
};
