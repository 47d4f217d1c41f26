// In the small form of the schema library: the runner, which starts anew for every job, builds what stands here.
import * as z from "zod/mini";
import { Limits } from "./limits.ts";

/**
 * The link between a sandbox's runner and the orchestrator: HTTP/2 over unix sockets in a folder of this one sandbox.
 * The runner dials all sockets. On `control` and `bulk` the roles are turned round: the runner serves, the orchestrator asks.
 */
export const LINK_PROTOCOL = 1;
/** Where the folder of sockets is mounted, read-only, inside a sandbox. */
export const LINK_FOLDER_INSIDE = "/run/sealwork";
export const SOCKETS = ["control", "bulk", "out"] as const;
export type SocketName = (typeof SOCKETS)[number];

export const STREAM_WINDOW_BYTES = 1024 * 1024;
export const SESSION_WINDOW_BYTES = 16 * 1024 * 1024;
export const SESSION_MEMORY_MB = 64;
export const STREAMS_MAX = 256;
/** A ping on a link that answers nothing for this long means that the other side is gone. */
export const PING_TIMEOUT_MS = 5_000;

/** What is large ends with these trailers, because a stream that was cut can look like one that ended well. */
export const TRAILER_LENGTH = "x-sealwork-length";
export const TRAILER_SHA256 = "x-sealwork-sha256";
/** The whole size of a file of which `read` gives a part. */
export const HEADER_SIZE = "x-sealwork-size";

/** The requests that a runner answers. Bodies are JSON unless said otherwise. */
export const LINK_ROUTES = {
  /** control: GET -> Hello */
  hello: "/hello",
  /** control: POST Start -> {} ; a second one for the same job is answered alike, for another job 409 */
  start: "/start",
  /** control: GET ?after=N -> NDJSON of RunnerEvent, each n once, in order, live until either side closes */
  events: "/events",
  /** control: POST {n} -> {} ; events up to n are stored and need not be kept */
  ack: "/ack",
  /** control: POST StopRequest -> {} ; ends the running step and the agent, then `agent.ended` comes (outcome stopped) */
  stop: "/stop",
  /** control: POST -> {} ; kills every process of the sandbox but the runner; answered when none remains */
  quiesce: "/quiesce",
  /** bulk: POST tar -> {files}; unpacks into the workspace; request ends with the trailers */
  upload: "/upload",
  /** bulk: GET -> tar of the workspace, with the trailers */
  pack: "/pack",
  /** bulk: GET ?path= -> FileList */
  list: "/files",
  /** bulk: GET ?path=&start=&end= -> bytes, with the trailers; header x-sealwork-size is the file's whole size */
  read: "/file",
  /** bulk: GET ?sha256= -> bytes of a blob, with the trailers */
  blob: "/blob",
} as const;

export const Start = z.object({
  job_id: z.string(),
  secret: z.string(),
  agent: z.string(),
  prompt: z.string(),
  model: z.nullable(z.string()),
  env: z.record(z.string(), z.string()),
  limits: Limits,
});
export type Start = z.infer<typeof Start>;

export const StopRequest = z.object({ cause: z.enum(["cancelled", "timed_out"]) });
export type StopRequest = z.infer<typeof StopRequest>;

export const Ack = z.object({ n: z.int().check(z.minimum(0)) });

/** Entries in the list of one folder. */
export const FILES_LISTED_MAX = 10_000;
/** A list is at most this large as JSON; entries beyond it are left out, as if there were too many. */
export const FILES_LISTED_MAX_BYTES = 8 * 1024 * 1024;
