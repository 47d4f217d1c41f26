import type { CurrentJob } from "./current-job.ts";
import type { Log } from "./dependencies.ts";

const IMAGE_LINES_MAX = 2_000;

/** Progress of an image as events, in order and bounded; a line that cannot be stored is no reason to fail. */
export function imageProgress(job: CurrentJob, log: Log): (line: string) => void {
  let lines = 0;
  return (line) => {
    if (++lines > IMAGE_LINES_MAX) return;
    const data = { line: line.slice(0, 4000) };
    job.apply({ change: {}, events: [{ type: "image.progress", data }] }).catch((error: unknown) => {
      const { job_id } = job.record;
      log("warn", "A line of progress was not stored.", { job_id, error: String(error) });
    });
  };
}
