import type { Duplex, Readable } from "node:stream";
import type { RunnerEvent } from "../contract/event.ts";
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
import type { SandboxId } from "./driver.ts";
import type { Outbound } from "./outbound.ts";

/** The folders of sockets, one for each sandbox. */
export interface LinkListener {
  /**
   * Makes the folder and listens in it; idempotent, also over a folder that an earlier orchestrator left behind.
   * `outbound` is the job that answers for what the sandbox reaches out to; with null, `out` serves nothing. Returns the folder to mount.
   */
  open(id: SandboxId, outbound: Outbound | null): Promise<{ folder: string }>;
  /**
   * The link of this sandbox: resolves when its runner has dialled `control` and `bulk` and said hello, at once when it has already.
   * A runner that cannot repeat `secret` (when one is given) is turned away and waited for further.
   * Rejects with the signal's reason, or with AppError `protocol_violated` for an answer that is no hello.
   */
  connect(id: SandboxId, secret: string | null, signal: AbortSignal): Promise<SandboxLink>;
  /** Closes the sockets and connections of a sandbox and removes its folder; resolves when that is already gone. */
  close(id: SandboxId): Promise<void>;
  /** Sandboxes that have a folder, those that an earlier orchestrator left behind included. */
  list(): Promise<SandboxId[]>;
  /** Closes all connections and listeners; the folders stay, since sandboxes go on and find the next orchestrator there. */
  [Symbol.asyncDispose](): Promise<void>;
}

/**
 * One connection to one runner. Every method throws AppError `link_lost` when the connection is gone (then connect again),
 * and `protocol_violated` when the runner answers what it must not. All that comes back is untrusted and bounded.
 */
export interface SandboxLink {
  readonly hello: Hello;
  /** Aborted when the connection is gone. */
  readonly lost: AbortSignal;
  start(start: Start, signal: AbortSignal): Promise<void>;
  /** Validated events with n > after, in order without gaps, live until the link is lost (throws) or the signal aborts. */
  events(after: number, signal: AbortSignal): AsyncIterable<RunnerEvent[]>;
  ack(n: number, signal: AbortSignal): Promise<void>;
  stop(request: StopRequest, signal: AbortSignal): Promise<void>;
  /** Gives the agent a message; safe to repeat with the same id. AppError `conflict` when it takes none (any more). */
  message(message: Message, signal: AbortSignal): Promise<void>;
  /** Resolves when no process but the runner remains in the sandbox. */
  quiesce(signal: AbortSignal): Promise<void>;
  /** Sends a tar that becomes part of the workspace. */
  upload(tar: Readable, signal: AbortSignal): Promise<void>;
  /** A tar of the workspace. The stream errors, and never just ends, when it was cut short or its hash differs. */
  pack(signal: AbortSignal): Promise<Readable>;
  list(place: FilePlace, signal: AbortSignal): Promise<FileList>;
  /** Bytes start to end (inclusive) of a file; errors like `pack`. */
  read(
    place: FilePlace,
    range: { start: number; end: number } | null,
    signal: AbortSignal,
  ): Promise<{ size_bytes: number; content: Readable }>;
  /**
   * Makes or replaces a file whole; what was there stays until all of it has come. With `only_new` AppError `precondition_failed` where
   * something is; `disk_full` where there is no room. Rejects with what `content` failed with.
   */
  write(
    place: FilePlace,
    content: Readable,
    options: { only_new: boolean },
    signal: AbortSignal,
  ): Promise<FileWritten>;
  /** Unpacks a tar into a folder, which is made when missing; each file whole or not at all. Rejects as `write` does. */
  unpack(place: FilePlace, tar: Readable, signal: AbortSignal): Promise<FilesUnpacked>;
  change(change: FileChange, signal: AbortSignal): Promise<void>;
  /** A tar of a folder (its content) or of a file (itself); errors like `pack`. */
  archive(place: FilePlace, signal: AbortSignal): Promise<Readable>;
  readonly live: LiveLink;
  /** The bytes of a blob, checked against its name and at most BLOB_MAX_BYTES. */
  blob(sha256: string, signal: AbortSignal): Promise<Buffer>;
  close(): Promise<void>;
}

/** A file or folder of a sandbox; the path is relative to the root, "" being the root itself. */
export type FilePlace = { root: FileRoot; path: string };

/**
 * What people use live of a sandbox. Every method throws as SandboxLink says, AppError `conflict` too where the image lacks what is asked for
 * or the runner is of the release before this one. A lost `live` connection cuts its streams and is waited for when the next one is opened.
 */
export interface LiveLink {
  /** A stream of bytes as surfaces.ts says; destroying it ends the other side. The signal ends the opening, not the stream. */
  connect(target: LiveTarget, signal: AbortSignal): Promise<Duplex>;
  /** Starts a service unless it runs; resolves when it takes connections. */
  service(name: ServiceName, signal: AbortSignal): Promise<ServiceReady>;
  ports(signal: AbortSignal): Promise<PortList>;
  terminals(signal: AbortSignal): Promise<TerminalList>;
  /** AppError `not_found` for one that is not there (any more). */
  endTerminal(id: string, signal: AbortSignal): Promise<void>;
  /** The screen as PNG, at most BLOB_MAX_BYTES. */
  screen(signal: AbortSignal): Promise<Buffer>;
  /** Says who drives the desktop and who looks; the last word holds. */
  desktop(control: DesktopControl, signal: AbortSignal): Promise<void>;
  /** A person is at work in the sandbox. */
  touch(signal: AbortSignal): Promise<void>;
}
