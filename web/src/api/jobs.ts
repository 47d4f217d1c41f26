import { infiniteQueryOptions, type QueryClient, queryOptions } from "@tanstack/react-query";
import type { CancelAnswer, JobsAnswer, ScheduleAnswer } from "../../../src/contract/api.ts";
import type { Job, JobRequestInput } from "../../../src/contract/job.ts";
import { isListed, type JobPages, type JobsFilter, withChanged, withJob } from "./job-lists.ts";
import { request, requestJson } from "./request.ts";

/** Jobs of one page of a list. */
const PAGE_JOBS = 100;

export const jobQuery = (job_id: string) =>
  queryOptions({
    queryKey: ["job", job_id],
    queryFn: ({ signal }) => fetchJob(job_id, signal),
    // Events keep it true (see job-cache.ts).
    staleTime: Number.POSITIVE_INFINITY,
  });

/** Newest first, page by page. */
export const jobsQuery = (filter: JobsFilter) =>
  infiniteQueryOptions({
    queryKey: ["jobs", filter],
    queryFn: ({ pageParam, signal }) => fetchJobs(filter, { cursor: pageParam, signal }),
    initialPageParam: "",
    getNextPageParam: ({ next_cursor }) => next_cursor,
    staleTime: Number.POSITIVE_INFINITY,
  });

export function fetchJob(job_id: string, signal?: AbortSignal): Promise<Job> {
  return requestJson(`/status/${encodeURIComponent(job_id)}`, { signal });
}

export function fetchJobs(
  filter: JobsFilter,
  { cursor = "", limit = PAGE_JOBS, signal }: { cursor?: string; limit?: number; signal?: AbortSignal } = {},
): Promise<JobsAnswer> {
  const query = new URLSearchParams({ limit: String(limit) });
  for (const [name, value] of Object.entries({ ...filter, cursor })) if (value) query.set(name, value);
  return requestJson(`/jobs?${query}`, { signal });
}

/** Puts a job as it is now wherever it is shown. */
export function putJob(client: QueryClient, job: Job): void {
  client.setQueryData<Job>(jobQuery(job.job_id).queryKey, (old) => isOver(old) ?? job);
  // Lists keep the beginning of its prompt only.
  changeListed(client, job.job_id, (old) => isOver(old) ?? { ...job, prompt: old.prompt });
  changeLists(client, (list, filter) => (isListed(job, filter) ? withJob(list, job) : list));
}

/** A job that has ended does not change any more, whatever comes late. */
function isOver(job: Job | undefined): Job | null {
  return job?.phase === "ended" && job.result !== null ? job : null;
}

export function changeListed(client: QueryClient, job_id: string, change: (job: Job) => Job): void {
  changeLists(client, (list, filter) => withChanged(list, job_id, { change, filter }));
}

function changeLists(client: QueryClient, change: (list: JobPages, filter: JobsFilter) => JobPages): void {
  for (const { queryKey, state } of client.getQueryCache().findAll({ queryKey: ["jobs"] })) {
    const list = state.data as JobPages | undefined;
    if (list === undefined) continue;
    const changed = change(list, filterOf(queryKey));
    if (changed !== list) client.setQueryData(queryKey, changed);
  }
}

/** The filter of a list, from the key of its query. */
export function filterOf(queryKey: readonly unknown[]): JobsFilter {
  return (queryKey[1] ?? {}) as JobsFilter;
}

export function cancelJob(job_id: string): Promise<CancelAnswer> {
  return requestJson(`/cancel/${job_id}`, { method: "POST" });
}

/** The same task again, files and variables included. */
export function retryJob(job_id: string): Promise<ScheduleAnswer> {
  // The id may come from the address of the page, where anything can stand.
  return requestJson(`/jobs/${encodeURIComponent(job_id)}/retry`, { method: "POST" });
}

/** A job without files; the page for new jobs sends them along. */
export function scheduleJob(job: JobRequestInput): Promise<ScheduleAnswer> {
  return requestJson("/schedule", { method: "POST", json: job });
}

export async function sayToJob(job_id: string, text: string): Promise<void> {
  await request(`/jobs/${job_id}/messages`, { method: "POST", json: { text } });
}

export async function answerApproval(job_id: string, n: number, decision: "allow" | "deny"): Promise<void> {
  await request(`/jobs/${job_id}/approvals/${n}`, { method: "POST", json: { decision } });
}

export async function openHost(job_id: string, host: string): Promise<void> {
  await request(`/jobs/${job_id}/egress`, { method: "POST", json: { host } });
}
