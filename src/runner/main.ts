import { mkdir } from "node:fs/promises";
import { constants } from "node:os";
import { join } from "node:path";
import { LINK_FOLDER_INSIDE } from "../contract/link.ts";
import { VERSION } from "../contract/version.ts";
import { Blobs } from "./blobs.ts";
import { dialLink } from "./link/dial.ts";
import { Outbox } from "./outbox.ts";
import { ToolProcesses } from "./process/tool-processes.ts";
import { runnerHandlers } from "./runner.ts";
import { Cgroup } from "./watch/cgroup.ts";

const REAPER = "/opt/sealwork/bin/reaper";
const HOME = "/home/agent";
const SCRATCH = "/tmp";
const EXIT_FAULT = 70;

/** A handler keeps Node's own from ending the process; those of faults of the processor and of libuv stay as they are. */
const LEFT_ALONE = [
  "SIGKILL",
  "SIGSTOP",
  "SIGCHLD",
  "SIGSEGV",
  "SIGBUS",
  "SIGILL",
  "SIGFPE",
  "SIGTRAP",
  "SIGABRT",
];

for (const name of Object.keys(constants.signals) as NodeJS.Signals[]) {
  if (LEFT_ALONE.includes(name) || name === "SIGUSR1" || name === "SIGPROF") continue;
  process.on(name, () => undefined);
}
process.on("uncaughtException", fault);
process.on("unhandledRejection", fault);

const outbox = await Outbox.open({ folder: HOME });
const workspace = join(HOME, "workspace");
await mkdir(workspace, { recursive: true });
const env = imageEnvironment();
// Where the image puts temporary files may be on the volume, which starts empty with an image that does not have the folder.
if (env.TMPDIR?.startsWith(`${HOME}/`)) await mkdir(env.TMPDIR, { recursive: true });
const cgroup = new Cgroup();
const processes = new ToolProcesses({
  reaper_path: REAPER,
  folder: SCRATCH,
  oomKills: () => cgroup.oomKills(),
});
const place = {
  home: HOME,
  workspace,
  scratch: SCRATCH,
  link_folder: LINK_FOLDER_INSIDE,
  env,
  processes,
  blobs: new Blobs({ folder: join(HOME, ".sealwork", "blobs") }),
  cgroup,
  emit: outbox.emit.bind(outbox),
};
// The link lives as long as this process does, which ends only with its sandbox.
dialLink({
  folder: LINK_FOLDER_INSIDE,
  handlers: runnerHandlers({ place, epoch: outbox.epoch, version: VERSION }),
  outbox,
});

/** What a tool finds in its environment: the image's own, completed, without what is Sealwork's. */
function imageEnvironment(): Record<string, string> {
  const own = Object.entries(process.env).filter(([name]) => !name.startsWith("SEALWORK_"));
  const defaults = { PATH: "/usr/local/bin:/usr/bin:/bin", LANG: "C.UTF-8", TERM: "dumb" };
  const env: Record<string, string> = { ...defaults, USER: "agent", LOGNAME: "agent", SHELL: "/bin/bash" };
  for (const [name, value] of own) if (value !== undefined) env[name] = value;
  env.HOME = HOME;
  const local = join(HOME, ".local", "bin");
  if (!env.PATH?.split(":").includes(local)) env.PATH = `${local}:${env.PATH}`;
  return env;
}

function fault(error: unknown): void {
  process.stderr.write(`The runner failed: ${error instanceof Error ? error.stack : String(error)}\n`);
  process.exit(EXIT_FAULT);
}
