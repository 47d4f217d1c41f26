// In the small form of the schema library, as link.ts: the runner builds what stands here.
import * as z from "zod/mini";
import { PORT_MAX } from "./live.ts";

export const SERVICES = ["desktop", "jupyter"] as const;
export const ServiceName = z.enum(SERVICES);
export type ServiceName = z.infer<typeof ServiceName>;
/** POST ServiceRequest: starts it unless it runs; answered when it takes connections. AppError `conflict` where the image lacks it. */
export const ServiceRequest = z.object({ name: ServiceName });
export const ServiceReady = z.object({
  /** What Jupyter wants as its token; null for the desktop, which wants none. */
  token: z.nullable(z.string().check(z.minLength(16), z.maxLength(128))),
});
export type ServiceReady = z.infer<typeof ServiceReady>;

export const PORTS_LISTED_MAX = 1_000;
export const ListeningPort = z.object({
  port: z.int().check(z.minimum(1), z.maximum(PORT_MAX)),
  /** Where it listens: `127.0.0.1`, `0.0.0.0`, `::1`, `::`. */
  address: z.string().check(z.maxLength(64)),
  /** Who listens, as far as it can be told. */
  pid: z.nullable(z.int()),
  process: z.nullable(z.string().check(z.maxLength(256))),
});
export type ListeningPort = z.infer<typeof ListeningPort>;
/** By port, each once. Ports of Sealwork itself are left out. */
export const PortList = z.object({ ports: z.array(ListeningPort).check(z.maxLength(PORTS_LISTED_MAX)) });
export type PortList = z.infer<typeof PortList>;

export const TERMINALS_MAX = 64;
/** Output of a terminal that is kept for who comes back to it. */
export const SCROLLBACK_MAX_BYTES = 256 * 1024;
export const TerminalSize = z.object({
  columns: z.int().check(z.minimum(1), z.maximum(1000)),
  rows: z.int().check(z.minimum(1), z.maximum(1000)),
});
export type TerminalSize = z.infer<typeof TerminalSize>;
export const TerminalId = z.string().check(z.regex(/^[a-z0-9]{1,16}$/));
export const TerminalInfo = z.extend(TerminalSize, {
  id: TerminalId,
  command: z.string().check(z.maxLength(1000)),
  started_at: z.string().check(z.maxLength(40)),
  /** How many connections it has at the moment. */
  attached: z.int(),
});
export type TerminalInfo = z.infer<typeof TerminalInfo>;
export const TerminalList = z.object({ terminals: z.array(TerminalInfo).check(z.maxLength(TERMINALS_MAX)) });
export type TerminalList = z.infer<typeof TerminalList>;
export const TerminalEnd = z.object({ id: TerminalId });

/** Program and arguments. */
export const CommandLine = z
  .array(z.string().check(z.maxLength(128 * 1024)))
  .check(z.minLength(1), z.maxLength(1000));

/**
 * What a `process` stream is for. With `terminal` it comes back to one that lives, whose scrollback it is sent first; with `pty` alone it
 * opens one, which outlives its connections; with neither it runs `command`, which ends with its connection.
 */
export const ProcessRequest = z.object({
  terminal: z.nullable(TerminalId),
  pty: z.nullable(TerminalSize),
  /** Null is a login shell. */
  command: z.nullable(CommandLine),
  /** Absolute below the home folder, or relative to the workspace; null is the workspace. */
  cwd: z.nullable(z.string().check(z.maxLength(4096))),
  env: z.record(z.string().check(z.maxLength(256)), z.string().check(z.maxLength(32 * 1024))),
  /** Whether what a new terminal shows is recorded into the workspace's `.sealwork/terminals/`, as asciicast v3. */
  record: z.boolean(),
});
export type ProcessRequest = z.infer<typeof ProcessRequest>;

/** Control frames to a process. */
export const ProcessOrder = z.union([
  z.object({ type: z.literal("resize"), columns: TerminalSize.shape.columns, rows: TerminalSize.shape.rows }),
  z.object({
    type: z.literal("signal"),
    signal: z.enum(["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGKILL"]),
  }),
  /** Its standard input ends. */
  z.object({ type: z.literal("end_of_input") }),
]);
export type ProcessOrder = z.infer<typeof ProcessOrder>;

/** Control frames from a process. `refused` and `exited` are the last ones. */
export const ProcessNews = z.union([
  z.object({ type: z.literal("opened"), terminal: z.nullable(TerminalId) }),
  z.object({
    type: z.literal("refused"),
    code: z.string().check(z.maxLength(64)),
    message: z.string().check(z.maxLength(4000)),
  }),
  z.object({
    type: z.literal("exited"),
    exit_code: z.nullable(z.int()),
    signal: z.nullable(z.string().check(z.maxLength(16))),
  }),
  /** Output that a connection was too slow for and never gets, in bytes. */
  z.object({ type: z.literal("skipped"), bytes: z.int() }),
]);
export type ProcessNews = z.infer<typeof ProcessNews>;

/** Who drives the desktop. While somebody does, the agent's desktop tool waits. */
export const DesktopControl = z.object({
  held_by: z.nullable(z.string().check(z.maxLength(100))),
  /** Whether the clipboard passes between viewers and the desktop. */
  clipboard: z.boolean(),
  /** Whether anybody looks: then the screen is captured as it changes. */
  watched: z.boolean(),
});
export type DesktopControl = z.infer<typeof DesktopControl>;

/** Where files of a sandbox are: below the workspace, or below the home folder. */
export const FILE_ROOTS = ["workspace", "home"] as const;
export const FileRoot = z.enum(FILE_ROOTS);
export type FileRoot = z.infer<typeof FileRoot>;
const path = z.string().check(z.maxLength(4096));
/** One change to the files of a sandbox, all paths relative to `root`. */
export const FileChange = z.union([
  z.object({ change: z.literal("rename"), root: FileRoot, path, to: path }),
  z.object({ change: z.literal("remove"), root: FileRoot, path, recursive: z.boolean() }),
  z.object({ change: z.literal("make_folder"), root: FileRoot, path }),
]);
export type FileChange = z.infer<typeof FileChange>;
