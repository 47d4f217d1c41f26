import type { Job } from "../../../../src/contract/job.ts";

export function Timeline({ job }: { job: Job }) {
  return <p>{job.job_id}</p>;
}
