import { spawn } from "node:child_process";
import { access, mkdir, open, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { AppError } from "../contract/errors.ts";
import { hasProgram, runCommand } from "./child-command.ts";
import { type EngineHandle, type EngineOptions, findEngine } from "./docker-engine.ts";

const READY_MS = 60_000;
const READY_POLL_MS = 200;
const LOG_LINES = 5;
/** How long apt waits for another apt, such as the one that a machine starts by itself after its boot. */
const APT_LOCK_S = 120;
const PACKAGES = ["docker.io", "iptables"];
/** Where dockerd and its containerd note their process ids. Source: Docker Engine 20.10 to 28, Debian's docker.io. */
const PID_FILES = [
  { file: "/var/run/docker.pid", program: "dockerd" },
  { file: "/var/run/docker/containerd/containerd.pid", program: "containerd" },
] as const;

export type InstallOptions = EngineOptions & {
  /** Where the log of a detached engine is written. */
  state_folder: string;
  /** The user who runs this; 0 may install. */
  uid: number;
  progress: (line: string) => void;
};

/**
 * As root on Debian or Ubuntu: installs the distribution's engine when it is missing and starts it when it is not running.
 * Idempotent. Throws AppError `engine_missing` with what to type where that cannot be done, `setup_failed` when a step fails.
 */
export async function installEngine(options: InstallOptions, signal: AbortSignal): Promise<EngineHandle> {
  const installed = await hasProgram("dockerd", signal);
  if (options.uid !== 0) {
    throw new AppError({
      code: "engine_missing",
      message: installed
        ? "A container engine is installed, but none runs that this user may use."
        : "This machine has no container engine, and only root can install one.",
      hint: installed
        ? 'sudo systemctl start docker; sudo usermod -aG docker "$USER"; then sign in again'
        : "sudo apt-get install docker.io iptables (or your distribution's docker or podman), then run this again",
    });
  }
  if (!installed) await installPackages(options.progress, signal);
  await startEngine(options, signal);
  return findEngine(options, signal);
}

async function installPackages(progress: (line: string) => void, signal: AbortSignal): Promise<void> {
  const release = await readFile("/etc/os-release", "utf8").catch(() => "");
  if (!/^ID(_LIKE)?=.*(debian|ubuntu)/m.test(release) || !(await hasProgram("apt-get", signal))) {
    throw new AppError({
      code: "engine_missing",
      message: "This machine has no container engine, and Sealwork installs one on Debian and Ubuntu only.",
      hint: "Install docker or podman with your distribution's package manager, start it, then run this again.",
    });
  }
  // Without a front end apt asks nobody; the same for the services that packages would start.
  const apt = [
    "env",
    "DEBIAN_FRONTEND=noninteractive",
    "apt-get",
    "-y",
    "-q",
    "-o",
    `DPkg::Lock::Timeout=${APT_LOCK_S}`,
  ];
  const on_line = (line: string) => {
    if (/^(Get:|Unpacking|Setting up)/.test(line)) progress(line);
  };
  try {
    progress("Installing docker.io with apt-get");
    // Finishes what an interrupted installation left half configured; apt refuses to go on before that.
    await runCommand(["env", "DEBIAN_FRONTEND=noninteractive", "dpkg", "--configure", "-a"], { signal });
    await runCommand([...apt, "update"], { signal, on_line: () => {} });
    await runCommand([...apt, "install", "--no-install-recommends", ...PACKAGES], { signal, on_line });
  } catch (error) {
    signal.throwIfAborted();
    throw new AppError({
      code: "setup_failed",
      message: `apt-get could not install the container engine: ${error instanceof Error ? error.message : String(error)}`,
      hint: "apt-get update && apt-get install docker.io iptables",
      cause: error,
    });
  }
}

async function startEngine(options: InstallOptions, signal: AbortSignal): Promise<void> {
  if (await isThere("/run/systemd/system")) {
    options.progress("Starting the container engine with systemd");
    await runCommand(["systemctl", "enable", "--now", "docker"], { signal });
    await waitUntilReady(options, () => null, signal);
    return;
  }
  const log = join(options.state_folder, "dockerd.log");
  let exited: string | null = null;
  await removeStalePidFiles();
  if (await engineIsAlive()) {
    options.progress("Waiting for the container engine that is starting already");
  } else {
    options.progress(`Starting the container engine; its log is ${log}`);
    await mkdir(options.state_folder, { recursive: true, mode: 0o700 });
    const file = await open(log, "a", 0o600);
    try {
      // A session of its own, so that no Ctrl-C of this terminal reaches it.
      const child = spawn("dockerd", [], { detached: true, cwd: "/", stdio: ["ignore", file.fd, file.fd] });
      child.once("error", (error) => {
        exited = error.message;
      });
      child.once("exit", (code, by_signal) => {
        exited = `it ended with ${by_signal ?? code}`;
      });
      child.unref();
    } finally {
      await file.close();
    }
  }
  await waitUntilReady(options, () => exited, signal, log);
}

/** A file is removed only when no living process of that name has its number. */
async function removeStalePidFiles(): Promise<void> {
  for (const { file, program } of PID_FILES) {
    const pid = await readPid(file);
    if (pid !== null && !(await isLiving(pid, program))) await rm(file, { force: true });
  }
}

async function engineIsAlive(): Promise<boolean> {
  const [{ file, program }] = PID_FILES;
  const pid = await readPid(file);
  return pid !== null && (await isLiving(pid, program));
}

async function readPid(file: string): Promise<number | null> {
  const pid = Number.parseInt(await readFile(file, "utf8").catch(() => ""), 10);
  return Number.isInteger(pid) ? pid : null;
}

/** A zombie does not count: where PID 1 reaps nothing, as in many containers, a killed engine stays one for ever. Source: proc_pid_stat(5). */
async function isLiving(pid: number, program: string): Promise<boolean> {
  const stat = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => "");
  return new RegExp(`\\(${program}\\) [^ZX]`).test(stat);
}

async function waitUntilReady(
  options: EngineOptions,
  ended: () => string | null,
  signal: AbortSignal,
  log?: string,
): Promise<void> {
  const deadline = performance.now() + READY_MS;
  while (true) {
    try {
      await findEngine(options, signal);
      return;
    } catch (error) {
      signal.throwIfAborted();
      // Ours gives way to one that somebody else starts at the same moment: another set-up, or the package's own script.
      const failed = (await engineIsAlive()) ? null : ended();
      const why =
        failed ?? (performance.now() > deadline ? `it did not answer within ${READY_MS / 1000} s` : null);
      if (why !== null) {
        throw new AppError({
          code: "setup_failed",
          message: `The container engine did not start: ${why}.${await lastLines(log)}`,
          hint: log === undefined ? "journalctl -u docker" : `Read ${log}, or start it yourself: dockerd`,
          cause: error,
        });
      }
    }
    await sleep(READY_POLL_MS, undefined, { signal });
  }
}

async function lastLines(log: string | undefined): Promise<string> {
  if (log === undefined) return "";
  const text = await readFile(log, "utf8").catch(() => "");
  return `\n${text.trimEnd().split("\n").slice(-LOG_LINES).join("\n")}`;
}

async function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
