import type { Duplex, Readable } from "node:stream";
import type { LentPieces } from "../contract/checked-stream.ts";
import type { Message, Start, StopRequest } from "../contract/link.ts";
import type { FileList, FilesUnpacked, FileWritten, Hello } from "../contract/link-answers.ts";
import type { LiveTarget } from "../contract/live.ts";
import type {
  DesktopControl,
  FileChange,
  FileRoot,
  PortList,
  ServiceName,
  ServiceReady,
  TerminalList,
} from "../contract/surfaces.ts";

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
  list(place: FilePlace): Promise<FileList>;
  read(
    place: FilePlace,
    range: { start: number; end: number } | null,
  ): Promise<{ size_bytes: number; content: Readable | LentPieces }>;
  /** Makes or replaces a file whole, and the folders above it; with `only_new` AppError `precondition_failed` where something is. */
  write(place: FilePlace, content: Readable, options: { only_new: boolean }): Promise<FileWritten>;
  /** Unpacks a tar into a folder, which is made when missing. */
  unpack(place: FilePlace, tar: Readable, signal: AbortSignal): Promise<FilesUnpacked>;
  change(change: FileChange): Promise<void>;
  archive(place: FilePlace, signal: AbortSignal): Promise<Readable>;
  blob(sha256: string): Promise<Readable>;
  /** What people use live. AppError `conflict` before the job has started and once its agent has ended. */
  surfaces: SurfaceHandlers;
}

/** A path relative to a root, "" being the root itself. */
export type FilePlace = { root: FileRoot; path: string };

/** The surfaces of a job, behind the transport; errors as RunnerHandlers. */
export interface SurfaceHandlers {
  /** Gets a target ready. What it resolves with takes the stream over once the other side was told yes. */
  connect(target: LiveTarget, signal: AbortSignal): Promise<TakeStream>;
  service(name: ServiceName, signal: AbortSignal): Promise<ServiceReady>;
  ports(): Promise<PortList>;
  terminals(): TerminalList;
  endTerminal(id: string): Promise<void>;
  /** The screen as PNG. AppError `conflict` where the image has no desktop; starts it otherwise. */
  screen(signal: AbortSignal): Promise<Buffer>;
  desktop(control: DesktopControl): Promise<void>;
  /** A person is at work: a job that only waits stays open for a while longer. */
  touch(): void;
}
/** Must not throw; ends or destroys the stream itself. */
export type TakeStream = (stream: Duplex) => void;
