import assert from "node:assert/strict";
import type { Selectable } from "kysely";
import { foldCase } from "../contract/fold-case.ts";
import { PROMPT_LISTED_MAX_CHARS } from "../contract/job.ts";
import { initialState } from "../core/lifecycle.ts";
import type { JobRecord, JobState } from "../core/store.ts";
import type { Tables } from "./tables.ts";

export const JOB_COLUMNS = [
  "jobs.job_id",
  "jobs.owner",
  "jobs.scheduled_at",
  "jobs.last_seq",
  "jobs.state",
  "requests.details",
] as const;

export type JobRow = Pick<
  Selectable<Tables["jobs"]>,
  "job_id" | "owner" | "scheduled_at" | "last_seq" | "state"
> &
  Pick<Selectable<Tables["requests"]>, "details">;

type Details = Pick<JobRecord, "request" | "limits" | "retry_of" | "has_upload">;

export function toJob(row: JobRow): JobRecord {
  const details = parseObject(row.details, row.job_id) as Details;
  return {
    job_id: row.job_id,
    owner: row.owner,
    scheduled_at: row.scheduled_at,
    request: details.request,
    limits: details.limits,
    retry_of: details.retry_of ?? null,
    has_upload: details.has_upload ?? false,
    state: toState(row),
  };
}

export function toState(row: { job_id: string; state: string }): JobState {
  // What a state written by an older release does not say is as it was at the job's beginning.
  return { ...initialState(), ...parseObject(row.state, row.job_id) };
}

/** The columns of `jobs` that follow from a state. */
export function stateColumns(state: JobState) {
  return {
    status: state.status,
    phase: state.phase,
    ended_at: state.ended_at,
    state: JSON.stringify(state),
  };
}

export function requestColumns(job: JobRecord) {
  return { details: JSON.stringify(detailsOf(job)), prompt_search: foldCase(job.request.prompt) };
}

/** The same for lists: the prompt cut short, between two characters, and no env. */
export function listedColumns(job: JobRecord) {
  const prompt = job.request.prompt.slice(0, PROMPT_LISTED_MAX_CHARS).replace(/[\ud800-\udbff]$/, "");
  return { details: JSON.stringify({ ...detailsOf(job), request: { ...job.request, prompt, env: {} } }) };
}

function detailsOf({ request, limits, retry_of, has_upload }: JobRecord): Details {
  return { request, limits, retry_of, has_upload };
}

/** Our own data, so nothing is checked but that it is there at all. */
function parseObject(json: string, job_id: string): object {
  const value: unknown = JSON.parse(json);
  assert(typeof value === "object" && value !== null, `The row of job ${job_id} holds no object.`);
  return value;
}
