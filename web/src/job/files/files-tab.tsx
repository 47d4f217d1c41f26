import type { Job } from "../../../../src/contract/job.ts";
import { NotYet } from "../surfaces/not-open.tsx";
import { sandboxState } from "../surfaces/sandbox-state.ts";
import { FilesView } from "./files-view.tsx";

/** The files of a job: those of its sandbox while it works, those of its ZIP afterwards. */
export function FilesTab({ job }: { job: Job }) {
  const state = sandboxState(job);
  if (state === "before") return <NotYet job={job} what="The workspace" />;
  const live = state === "open";
  return <FilesView key={String(live)} job_id={job.job_id} live={live} packing={job.phase === "packing"} />;
}
