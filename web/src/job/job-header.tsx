import type { Job } from "../../../src/contract/job.ts";

export function JobHeader({ job }: { job: Job }) {
  return <p>{job.job_id}</p>;
}
