import { randomUUID } from "node:crypto";
import type { Event, EventBody, RunnerEvent } from "../contract/event.ts";
import { Egress, JobRequest, type JobRequestInput } from "../contract/job.ts";
import { Limits } from "../contract/limits.ts";
import { initialState } from "../core/lifecycle.ts";
import type { AllEventsFilter, JobRecord, JobState, Store } from "../core/store.ts";

export const AT = "2026-05-01T10:00:00.000Z";
export const ALL = { after: 0, limit: 10_000 };

export function newJob(options: {
  request?: Partial<JobRequestInput>;
  scheduled_at?: string;
  job_id?: string;
  state?: Partial<JobState>;
}): JobRecord {
  return {
    job_id: options.job_id ?? randomUUID(),
    owner: "orchestrator-1",
    scheduled_at: options.scheduled_at ?? AT,
    request: {
      ...JobRequest.parse({ prompt: "Do something.", ...options.request }),
      template: "base",
      egress: Egress.parse({}),
    },
    limits: Limits.parse({}),
    retry_of: null,
    has_upload: false,
    state: { ...initialState(), ...options.state },
  };
}

export function said(text: string): EventBody {
  return { type: "message.said", data: { from: "agent", text } };
}

export function output(n: number, text: string): RunnerEvent {
  const data = { step: 1, stream: "stdout", encoding: "utf8", data: text } as const;
  return { n, at: "1999-01-01T00:00:00.000Z", type: "step.output", data };
}

export function runnerSaid(n: number): RunnerEvent {
  return { n, at: "1999-01-01T00:00:00.000Z", type: "message.said", data: { from: "agent", text: `${n}` } };
}

export async function insert(store: Store, options: Parameters<typeof newJob>[0] = {}): Promise<JobRecord> {
  const { job } = await store.insertJob(newJob(options), [], null);
  return job;
}

export async function readAllEvents(store: Store, filter: AllEventsFilter): Promise<Event[]> {
  return (await store.readAllEventLines(filter)).map(({ json }) => JSON.parse(json));
}

export function range(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, index) => from + index);
}

export const seqs = (events: Event[]) => events.map((event) => event.seq);
export const ids = (jobs: JobRecord[]) => jobs.map((job) => job.job_id);
