import type { ErrorCode } from "../contract/errors.ts";
import type { Job } from "../contract/job.ts";

/** What the process ends with; scripts rely on these numbers. */
export const EXIT = {
  complete: 0,
  error: 1,
  usage: 2,
  cancelled: 3,
  timed_out: 4,
  unreachable: 5,
  interrupted: 130,
} as const;

const UNREACHABLE: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  "unreachable",
  "shutting_down",
  "engine_unreachable",
  "engine_missing",
  "engine_not_local",
  "setup_failed",
]);

/** The exit code for an error of the table. */
export function exitCodeOfError(code: ErrorCode): number {
  if (UNREACHABLE.has(code)) return EXIT.unreachable;
  return code === "usage" || code === "invalid_request" ? EXIT.usage : EXIT.error;
}

/** The exit code for a job that has ended. */
export function exitCodeOfJob(job: Job): number {
  if (job.status === "complete") return EXIT.complete;
  if (job.status === "cancelled") return EXIT.cancelled;
  const timed_out = job.reason?.code === "timed_out" || job.reason?.code === "idle_timed_out";
  return timed_out ? EXIT.timed_out : EXIT.error;
}
