import type { Job } from "../../../../src/contract/job.ts";

export function ChangesTab({ job }: { job: Job }) {
  return <p>{job.job_id}</p>;
}
