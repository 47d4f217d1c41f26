// In the small form of the schema library: the runner, which starts anew for every job, builds what stands here.
import * as z from "zod/mini";
import { AgentCli } from "./agent-cli.ts";
import { Limits } from "./limits.ts";
import { ModelAccess } from "./models.ts";

/**
 * The link between a sandbox's runner and the orchestrator: HTTP/2 over unix sockets in a folder of this one sandbox.
 * The runner dials all sockets. On `control`, `bulk` and `live` the roles are turned round: the runner serves, the orchestrator asks.
 * `live` carries the surfaces that people use (surfaces.ts) as CONNECT streams, so that nothing large stands in front of a keystroke.
 */
export const LINK_PROTOCOL = 3;
/** Runners that the release before this one started are served too: what is new since is asked of newer ones only. */
export const LINK_PROTOCOLS_SERVED: readonly number[] = [1, 2, 3];
/** Where the folder of sockets is mounted, read-only, inside a sandbox. */
export const LINK_FOLDER_INSIDE = "/run/sealwork";
export const SOCKETS = ["control", "bulk", "live", "out"] as const;
export type SocketName = (typeof SOCKETS)[number];

export const STREAM_WINDOW_BYTES = 1024 * 1024;
export const SESSION_WINDOW_BYTES = 16 * 1024 * 1024;
export const SESSION_MEMORY_MB = 64;
export const STREAMS_MAX = 256;
/** A ping on a link that answers nothing for this long means that the other side is gone. */
export const PING_TIMEOUT_MS = 5_000;

/**
 * What is large ends with its length and one of the other trailers (stream-check.ts), because a stream that was cut can look like one that
 * ended well: GMAC since protocol 3, SHA-256 before.
 */
export const TRAILER_LENGTH = "x-sealwork-length";
export const TRAILER_GMAC = "x-sealwork-gmac";
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
  /** control: POST Message -> {} ; words of a person for the agent, taken once for each id; AppError `conflict` when it takes none */
  message: "/message",
  /** control: POST -> {} ; a person is at work in the sandbox, which is kept open for a while longer */
  touch: "/touch",
  /** control: GET -> PortList */
  ports: "/ports",
  /** control: GET -> TerminalList */
  terminals: "/terminals",
  /** control: POST TerminalEnd -> {} ; ends a terminal with all that runs in it */
  end_terminal: "/terminals/end",
  /** control: POST ServiceRequest -> ServiceReady */
  service: "/service",
  /** control: POST DesktopControl -> {} */
  desktop: "/desktop",
  /** control: POST -> {} ; kills every process of the sandbox but the runner; answered when none remains */
  quiesce: "/quiesce",
  /** bulk: POST tar -> {files}; unpacks into the workspace; request ends with the trailers */
  upload: "/upload",
  /** bulk: GET -> tar of the workspace, with the trailers */
  pack: "/pack",
  /** bulk: GET ?path=&root= -> FileList; without a root of the workspace */
  list: "/files",
  /** bulk: GET ?path=&root=&start=&end= -> bytes, with the trailers; header x-sealwork-size is the file's whole size */
  read: "/file",
  /**
   * bulk: POST ?root=&path= bytes -> FileWritten; makes or replaces a file whole, and the folders above it; request ends with the trailers.
   * With `new=1` AppError `precondition_failed` where something is already.
   */
  write: "/write",
  /** bulk: POST ?root=&path= tar -> {files}; unpacks into a folder, which is made when missing; request ends with the trailers */
  unpack: "/unpack",
  /** bulk: POST FileChange -> {} */
  change: "/change",
  /** bulk: GET ?root=&path= -> tar of a folder or file, with the trailers */
  archive: "/archive",
  /** bulk: GET -> the desktop's screen as PNG, with the trailers */
  screen: "/screen",
  /** bulk: GET ?sha256= -> bytes of a blob, with the trailers */
  blob: "/blob",
} as const;

/** The window of a stream on `out`, in both directions: what is buffered of one that nobody reads, times STREAMS_MAX, stays small. */
export const OUT_WINDOW_BYTES = 256 * 1024;
/**
 * On `out` the runner asks and the orchestrator answers. CONNECT with one of these authorities opens a stream of bytes: what a program
 * in the sandbox sends to MODEL_PORT or EGRESS_PORT, untouched.
 */
export const OUT_STREAMS = ["models", "egress"] as const;
export type OutStream = (typeof OUT_STREAMS)[number];
export const OUT_ROUTES = {
  /** POST Question -> Decision ; answered when a person or a clock has decided. Asking again with the same key is the same question. */
  approvals: "/approvals",
} as const;

/** What a person is asked before something is done. */
export const Question = z.object({
  /** Names the question within its job, so that asking again after a lost link is not a second question. */
  key: z.string().check(z.minLength(1), z.maxLength(128)),
  /** `step`: the native agent is about to do it; `permission`: an agent CLI asks. */
  kind: z.enum(["step", "permission"]),
  title: z.string().check(z.maxLength(1000)),
  detail: z.string().check(z.maxLength(8000)),
});
export type Question = z.infer<typeof Question>;
export const Decision = z.object({ n: z.int(), decision: z.enum(["allow", "deny"]) });
export type Decision = z.infer<typeof Decision>;

/** The machine's own network settings, as far as tools in a sandbox need them. Addresses carry no credentials. */
export const NetworkSettings = z.object({
  /** The registries that the machine's npm and pip name; null leaves the image's own. */
  npm_registry: z.nullable(z.string()),
  pip_index_url: z.nullable(z.string()),
  /** Certificates that the machine trusts beyond the usual ones, as PEM; null when there are none. */
  ca_pem: z.nullable(z.string()),
});
export type NetworkSettings = z.infer<typeof NetworkSettings>;

export const Network = z.extend(NetworkSettings, {
  /** Whether anything can be reached through EGRESS_PORT. */
  egress: z.boolean(),
});
export type Network = z.infer<typeof Network>;

export const Start = z.object({
  job_id: z.string(),
  secret: z.string(),
  /** `script`, `native`, or the name of an agent CLI, which `cli` then describes. */
  agent: z.string(),
  prompt: z.string(),
  /** Null for an agent that needs none. */
  model: z.nullable(ModelAccess),
  cli: z.nullable(AgentCli),
  approval: z.enum(["never", "risky", "always"]),
  /** How long the agent waits for a further message after an answer. */
  linger_s: z.number(),
  network: Network,
  /** What may be reached, so that an agent need not find it out by refusals; more hosts may be opened later. */
  egress: z.object({ policy: z.string(), hosts: z.array(z.string()) }),
  env: z.record(z.string(), z.string()),
  limits: Limits,
  /** True for a runner that takes over from one that died: the agent goes on from the state that lies on the volume. */
  resume: z.boolean(),
});
export type Start = z.infer<typeof Start>;

/** Words of a person for a running agent. */
export const MESSAGE_MAX_CHARS = 32_000;
export const Message = z.object({
  id: z.string().check(z.minLength(1), z.maxLength(64)),
  text: z.string().check(z.minLength(1), z.maxLength(MESSAGE_MAX_CHARS)),
});
export type Message = z.infer<typeof Message>;

export const StopRequest = z.object({ cause: z.enum(["cancelled", "timed_out"]) });
export type StopRequest = z.infer<typeof StopRequest>;

export const Ack = z.object({ n: z.int().check(z.minimum(0)) });

/** Entries in the list of one folder. */
export const FILES_LISTED_MAX = 10_000;
/** A list is at most this large as JSON; entries beyond it are left out, as if there were too many. */
export const FILES_LISTED_MAX_BYTES = 8 * 1024 * 1024;
