import type { InfiniteData } from "@tanstack/react-query";
import type { JobsAnswer, JobsQuery } from "../../../src/contract/api.ts";
import { foldCase } from "../../../src/contract/fold-case.ts";
import type { Job } from "../../../src/contract/job.ts";

export type JobsFilter = Pick<JobsQuery, "status" | "text" | "label">;
/** A list of jobs as far as it is loaded, newest first. */
export type JobPages = InfiniteData<JobsAnswer, string>;

/** Whether a list with this filter has a job; as the store decides it. */
export function isListed(job: Job, { status, text, label }: JobsFilter): boolean {
  if (status !== undefined && job.status !== status) return false;
  if (text !== undefined && !foldCase(job.prompt).includes(foldCase(text))) return false;
  if (label === undefined) return true;
  const equals = label.indexOf("=");
  const name = equals === -1 ? label : label.slice(0, equals);
  if (!Object.hasOwn(job.labels, name)) return false;
  return equals === -1 || job.labels[name] === label.slice(equals + 1);
}

export function hasJob(list: JobPages, job_id: string): boolean {
  return list.pages.some(({ jobs }) => jobs.some((job) => job.job_id === job_id));
}

/** Changes a job where it stands; what it became may not belong there any more, and is taken out. */
export function withChanged(
  list: JobPages,
  job_id: string,
  options: { change: (job: Job) => Job; filter: JobsFilter },
): JobPages {
  if (!hasJob(list, job_id)) return list;
  const { change, filter } = options;
  const pages = list.pages.map((page) => {
    const at = page.jobs.findIndex((job) => job.job_id === job_id);
    const old = page.jobs[at];
    if (old === undefined) return page;
    const job = change(old);
    // The prompt of a list is cut short, so its text is not looked at again; it never changes.
    const stays = filter.status === undefined || job.status === filter.status;
    return { ...page, jobs: page.jobs.toSpliced(at, 1, ...(stays ? [job] : [])) };
  });
  return { ...list, pages };
}

/** Puts a job that is not in the list where its age belongs, unless that part is not loaded yet. */
export function withJob(list: JobPages, job: Job): JobPages {
  if (hasJob(list, job.job_id)) return list;
  const at = list.pages.findIndex(
    ({ jobs, next_cursor }) => next_cursor === null || jobs.some((other) => isNewer(job, other)),
  );
  const page = list.pages[at];
  if (page === undefined) return list;
  const before = page.jobs.findIndex((other) => isNewer(job, other));
  const jobs = page.jobs.toSpliced(before === -1 ? page.jobs.length : before, 0, job);
  return { ...list, pages: list.pages.with(at, { ...page, jobs }) };
}

/** Puts the jobs of a first page that was asked for again in front; null when there may be others between them and the list. */
export function withNewest(list: JobPages, newest: JobsAnswer): JobPages | null {
  const known = newest.jobs.some((job) => hasJob(list, job.job_id));
  if (!known && newest.next_cursor !== null) return null;
  return newest.jobs.toReversed().reduce(withJob, list);
}

export function isNewer(one: Job, other: Job): boolean {
  const [at, other_at] = [one.timings.scheduled_at, other.timings.scheduled_at];
  return at === other_at ? one.job_id > other.job_id : at > other_at;
}
