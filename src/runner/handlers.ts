import type { Readable } from "node:stream";
import type { Message, Start, StopRequest } from "../contract/link.ts";
import type { FileList, Hello } from "../contract/link-answers.ts";

/**
 * What a runner does when the orchestrator asks: the routes of the link, behind the transport.
 * A handler that throws AppError is answered with its code; anything else is `internal`.
 */
export interface RunnerHandlers {
  hello(): Hello;
  /** Begins the job; resolves once accepted. Again for the same job_id and secret: resolves; else AppError `conflict`. */
  start(start: Start): Promise<void>;
  /** Ends the running step and the agent; `agent.ended` follows. Resolves at once, also when nothing runs. */
  stop(request: StopRequest): Promise<void>;
  /** Words of a person for the agent. AppError `conflict` when there is none that takes them. */
  message(message: Message): Promise<void>;
  /** Kills every process but the runner; resolves when none remains. */
  quiesce(): Promise<void>;
  /** Unpacks a tar into the workspace. */
  upload(tar: Readable, signal: AbortSignal): Promise<{ files: number }>;
  /** A tar of the workspace. */
  pack(signal: AbortSignal): Readable;
  list(path: string): Promise<FileList>;
  read(
    path: string,
    range: { start: number; end: number } | null,
  ): Promise<{ size_bytes: number; content: Readable }>;
  blob(sha256: string): Promise<Readable>;
}
