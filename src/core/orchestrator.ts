import type { Readable } from "node:stream";
import type { CancelAnswer, Check, JobsAnswer, JobsQuery, Template } from "../contract/api.ts";
import type { Event, EventType } from "../contract/event.ts";
import type { Job, JobRequest } from "../contract/job.ts";
import type { FileList } from "../contract/link.ts";
import type { UploadPart } from "./artifacts.ts";

export type ByteRange = { start: number; end: number };
export type Follow = { after: number | null; types: readonly EventType[] | null; follow: boolean };

/**
 * The whole of what a surface (HTTP, later MCP) may ask for. Unknown ids throw AppError `not_found`, those that retention removed `expired`.
 */
export declare class Orchestrator {
  /** Checks the request against templates and machine (AppError `invalid_request`), keeps the upload, stores the job, wakes the queue. */
  schedule(
    request: JobRequest,
    options: {
      upload: AsyncIterable<UploadPart> | null;
      idempotency: { key: string; fingerprint: string } | null;
    },
    signal: AbortSignal,
  ): Promise<Job>;
  job(job_id: string): Promise<Job>;
  jobs(query: JobsQuery): Promise<JobsAnswer>;
  cancel(job_id: string): Promise<CancelAnswer>;
  /** The same task again, upload and env included. */
  retry(job_id: string): Promise<Job>;
  /** Events of a job in order; with `follow` live until `job.ended`, without it to the last one stored. `after` null is 0. */
  events(job_id: string, filter: Follow, signal: AbortSignal): AsyncIterable<Event>;
  /** Events of all jobs by cursor; `after` null starts now; leaves out `step.output` unless `types` names it. */
  allEvents(filter: Follow, signal: AbortSignal): AsyncIterable<Event>;
  /** Exactly the bytes that the steps wrote. */
  logs(
    job_id: string,
    filter: { follow: boolean; stream: "stdout" | "stderr" | null; step: number | null },
    signal: AbortSignal,
  ): AsyncIterable<Uint8Array>;
  /** From the sandbox while it lives, else from the ZIP. */
  files(job_id: string, path: string, signal: AbortSignal): Promise<FileList>;
  file(
    job_id: string,
    path: string,
    range: ByteRange | null,
    signal: AbortSignal,
  ): Promise<{ size_bytes: number; content: Readable }>;
  blob(job_id: string, sha256: string): Promise<{ size_bytes: number; content: Readable }>;
  /** The ZIP; waits up to DOWNLOAD_WAIT_MS while the job is packing. AppError `not_ended` before that. */
  download(
    job_id: string,
    signal: AbortSignal,
  ): Promise<{ size_bytes: number; sha256: string; open: (range: ByteRange | null) => Readable }>;
  /** AppError `not_found` when the job was not scheduled with `patch`, `not_ended` before its end. */
  changes(job_id: string): Promise<Readable>;
  templates(): Template[];
  doctor(signal: AbortSignal): Promise<Check[]>;
  /** Stops taking and starting jobs; sandboxes go on and are found again by the next orchestrator. */
  [Symbol.asyncDispose](): Promise<void>;
}
