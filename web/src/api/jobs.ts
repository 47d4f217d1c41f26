import {
  type InfiniteData,
  infiniteQueryOptions,
  type QueryClient,
  queryOptions,
} from "@tanstack/react-query";
import type { CancelAnswer, JobsAnswer, JobsQuery, ScheduleAnswer } from "../../../src/contract/api.ts";
import type { Job, JobRequestInput } from "../../../src/contract/job.ts";
import { request, requestJson } from "./request.ts";

/** Jobs of one page of a list. */
const PAGE_JOBS = 100;

export type JobsFilter = Pick<JobsQuery, "status" | "text" | "label">;

export const jobQuery = (job_id: string) =>
  queryOptions({
    queryKey: ["job", job_id],
    queryFn: ({ signal }) => requestJson<Job>(`/status/${job_id}`, { signal }),
    // Events keep it true (see job-cache.ts).
    staleTime: Number.POSITIVE_INFINITY,
  });

/** Newest first, page by page. */
export const jobsQuery = (filter: JobsFilter) =>
  infiniteQueryOptions({
    queryKey: ["jobs", filter],
    queryFn: ({ pageParam, signal }) => {
      const query = new URLSearchParams({ limit: String(PAGE_JOBS) });
      for (const [name, value] of Object.entries({ ...filter, cursor: pageParam }))
        if (value) query.set(name, value);
      return requestJson<JobsAnswer>(`/jobs?${query}`, { signal });
    },
    initialPageParam: "",
    getNextPageParam: ({ next_cursor }) => next_cursor,
    staleTime: Number.POSITIVE_INFINITY,
  });

export type JobPages = InfiniteData<JobsAnswer, string>;

/** Puts a job as it is now wherever it is shown. Lists keep the beginning of its prompt only. */
export function putJob(client: QueryClient, job: Job): void {
  client.setQueryData<Job>(jobQuery(job.job_id).queryKey, job);
  changeListed(client, job.job_id, () => job);
}

export function changeListed(client: QueryClient, job_id: string, change: (job: Job) => Job): void {
  client.setQueriesData<JobPages>({ queryKey: ["jobs"] }, (data) => {
    if (data === undefined) return undefined;
    let found = false;
    const pages = data.pages.map((page) => {
      if (!page.jobs.some((job) => job.job_id === job_id)) return page;
      found = true;
      return { ...page, jobs: page.jobs.map((job) => (job.job_id === job_id ? change(job) : job)) };
    });
    return found ? { ...data, pages } : data;
  });
}

export function cancelJob(job_id: string): Promise<CancelAnswer> {
  return requestJson(`/cancel/${job_id}`, { method: "POST" });
}

/** The same task again, files and variables included. */
export function retryJob(job_id: string): Promise<ScheduleAnswer> {
  return requestJson(`/jobs/${job_id}/retry`, { method: "POST" });
}

/** Files with their paths below the workspace. */
export function scheduleJob(
  job: JobRequestInput,
  files: readonly { path: string; file: File }[] = [],
): Promise<ScheduleAnswer> {
  if (files.length === 0) return requestJson("/schedule", { method: "POST", json: job });
  const body = new FormData();
  body.set("job", JSON.stringify(job));
  for (const { path, file } of files) body.append("files", file, path);
  return requestJson("/schedule", { method: "POST", body });
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
