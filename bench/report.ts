import type { ColdStart } from "./cold-start.ts";
import type { DashboardFigures } from "./dashboard.ts";
import type { DesktopFigures } from "./desktop.ts";
import type { FileTransfer } from "./file-transfer.ts";
import type { History } from "./history.ts";
import type { JobPageFigures } from "./job-page.ts";
import type { Memory } from "./memory.ts";
import type { NewProcess } from "./new-process.ts";
import type { Summary } from "./statistics.ts";
import type { TerminalEcho } from "./terminal-echo.ts";

const COLD_RATIO_MAX = 1.5;
const PROCESS_MAX_MS = 10;
const ECHO_MAX_MS = 10;
const COPY_RATIO_MAX = 1;
const FRAMES_RATIO_MIN = 0.9;
const LIST_MAX_MS = 1_000;
const PAGE_MAX_MS = 300;
const JOB_PAGE_MAX_MS = 2_000;
const TASK_MAX_MS = 200;
const PAGE_RATIO_MAX = 0.1;
const ORCHESTRATOR_MAX_MB = 150;
const SANDBOX_MAX_MB = 60;

export type Figures = {
  at: string;
  machine: string;
  runs: number;
  cold: ColdStart;
  process: NewProcess;
  memory: Memory;
  terminal: TerminalEcho;
  files: FileTransfer;
  desktop: DesktopFigures;
  history: History;
  dashboard: DashboardFigures;
  job_page: JobPageFigures;
};

export type Target = {
  name: string;
  measured: number;
  bound: "at most" | "at least";
  limit: number;
  unit: string;
  met: boolean;
};

export function targetsOf(figures: Figures): Target[] {
  const { cold, process, memory, terminal, files, desktop, history, dashboard, job_page } = figures;
  const rounded = (measured: number): number => Math.round(measured * 100) / 100;
  const target = (name: string, measured: number, limit: number, unit: string): Target => {
    const bound = "at most";
    return { name, measured: rounded(measured), bound, limit, unit, met: measured <= limit };
  };
  const frames = desktop.frames.path.median / desktop.frames.inside.median;
  return [
    target(
      "cold start against docker run",
      cold.sealwork.median / cold.docker_run.median,
      COLD_RATIO_MAX,
      "times",
    ),
    target("first output of a new process", process.link.median, PROCESS_MAX_MS, "ms"),
    target("terminal echo", terminal.idle.median, ECHO_MAX_MS, "ms"),
    target("terminal echo while 1 GB is downloaded", terminal.downloading.median, ECHO_MAX_MS, "ms"),
    target(
      "1 GB out of a sandbox against docker cp",
      timesAsLong(files.out),
      COPY_RATIO_MAX,
      "times as long",
    ),
    target("1 GB into a sandbox against docker cp", timesAsLong(files.in), COPY_RATIO_MAX, "times as long"),
    {
      name: "pictures a second against the same socket inside",
      measured: rounded(frames),
      bound: "at least",
      limit: FRAMES_RATIO_MIN,
      unit: "times",
      met: frames >= FRAMES_RATIO_MIN,
    },
    target("the last 2,000 events of a job with 100,000", history.events.page.median, PAGE_MAX_MS, "ms"),
    target(
      "the last 2,000 events against all 95,000",
      history.events.page.median / history.events.all.median,
      PAGE_RATIO_MAX,
      "times",
    ),
    target("the last 200 kB of 50 MB of output", history.output.page.median, PAGE_MAX_MS, "ms"),
    target("the list of jobs in a new browser", dashboard.first.median, LIST_MAX_MS, "ms"),
    target("the page of a job with 100,000 events and 50 MB", job_page.big.median, JOB_PAGE_MAX_MS, "ms"),
    target("the longest task while it is scrolled", job_page.longest_task.median, TASK_MAX_MS, "ms"),
    target("idle orchestrator (RSS)", memory.orchestrator.rss, ORCHESTRATOR_MAX_MB, "MB"),
    target("idle sandbox", memory.sandbox.used, SANDBOX_MAX_MB, "MB"),
  ];
}

export function textOf(figures: Figures, targets: readonly Target[]): string {
  const { cold, process, memory, terminal, files, desktop, history, dashboard, job_page } = figures;
  const ratio = (cold.sealwork.median / cold.docker_run.median).toFixed(2);
  const own_ratio = (cold.sealwork.median / cold.docker_hardened.median).toFixed(2);
  const exec_ratio = (process.docker_exec.median / process.link.median).toFixed(1);
  const lines = [
    `${figures.at} on ${figures.machine}; ${figures.runs} runs by turns`,
    "",
    "Cold start to first output, ms                           median      p95   lowest",
    row("sealwork: schedule to first output at the client", cold.sealwork),
    row("docker run --rm --network none (the target)", cold.docker_run),
    row("the engine's API, hardened as a sandbox is", cold.docker_hardened),
    `  ${ratio} times docker run, ${own_ratio} times a hardened container`,
    "",
    "Where the milliseconds go, medians (the sum of medians is not the median of sums)",
    ...cold.trace.map(({ point, ms }) => `  ${point.padEnd(54)} ${ms.toFixed(1).padStart(8)}`),
    "",
    "A new process in a linked sandbox, ms                    median      p95   lowest",
    row("request over the link to first output", process.link),
    row("docker exec CONTAINER sh -c 'echo x'", process.docker_exec),
    row("end of a step to first output of the next, at client", process.next_step),
    `  docker exec takes ${exec_ratio} times as long`,
    "",
    "Echo of a key in a terminal, ms                          median      p95   lowest",
    row("the whole path: client, server, link, terminal", terminal.idle),
    row("docker exec -it, over the engine's API", terminal.docker_exec),
    row("the whole path while 1 GB is downloaded beside it", terminal.downloading),
    row("docker exec -it while 1 GB is downloaded beside it", terminal.docker_exec_downloading),
    `  ${(terminal.idle.median / terminal.docker_exec.median).toFixed(2)} times docker exec, ${(terminal.downloading.median / terminal.docker_exec_downloading.median).toFixed(2)} times while downloading`,
    "",
    "1 GB between a file here and one in a sandbox, ms         median      p95   lowest",
    row("out: curl, HTTP, orchestrator, link, runner", files.out.sealwork),
    row("out: docker cp", files.out.docker_cp),
    row("in: curl, HTTP, orchestrator, link, runner", files.in.sealwork),
    row("in: docker cp", files.in.docker_cp),
    "",
    "Idle memory, MB",
    `  orchestrator after ten jobs: RSS ${memory.orchestrator.rss.toFixed(1)}, PSS ${memory.orchestrator.pss.toFixed(1)}`,
    `  linked sandbox: ${memory.sandbox.used.toFixed(1)} in all; its runner RSS ${memory.sandbox.runner_rss.toFixed(1)}, PSS ${memory.sandbox.runner_pss.toFixed(1)}`,
    "",
    "First picture of a desktop, ms                          median      p95   lowest",
    row("the whole path, the desktop starts with it", desktop.first),
    row("the whole path, the desktop runs", desktop.again),
    row("docker run of the same image, over its own socket", desktop.docker_run),
    "",
    "Pictures a second of an animation                       median      p95   lowest",
    row("the whole path", desktop.frames.path),
    row("in the sandbox, on the same socket", desktop.frames.inside),
    `  ${(desktop.frames.path.median / desktop.frames.inside.median).toFixed(2)} times`,
    "",
    "Memory of the services, beside that of the sandbox, MB",
    `  the desktop ${desktop.memory.desktop.toFixed(1)}, a browser with the animation ${desktop.memory.browser.toFixed(1)}, Jupyter Lab ${desktop.memory.jupyter.toFixed(1)}`,
    "",
    "Events of a job with 100,000 of them, as NDJSON, ms      median      p95   lowest",
    row("the last 2,000 that are no output", history.events.page),
    row("all 95,000 that are no output", history.events.all),
    row("the last 200 kB of 50 MB of output", history.output.page),
    row("all 50 MB of output", history.output.all),
    `  ${(history.events.page.median / history.events.all.median).toFixed(3)} and ${(history.output.page.median / history.output.all.median).toFixed(3)} times of all`,
    "",
    "The dashboard in a browser, ms                           median      p95   lowest",
    row("the list of jobs takes input, nothing cached", dashboard.first),
    row("the same with the build's files cached", dashboard.again),
    row("/docs of the same server, nothing cached", dashboard.docs_first),
    row("the same with its files cached", dashboard.docs_again),
    row("the page of a small job shows its first output", job_page.small),
    row("the same of one with 100,000 events and 50 MB", job_page.big),
    row("the longest task while that is scrolled through", job_page.longest_task),
    `  ${(dashboard.first.median / dashboard.docs_first.median).toFixed(2)} and ${(dashboard.again.median / dashboard.docs_again.median).toFixed(2)} times /docs`,
    "",
    "Targets",
    ...targets.map(
      ({ name, measured, bound, limit, unit, met }) =>
        `  ${met ? "met   " : "MISSED"} ${name}: ${measured} ${unit} (${bound} ${limit})`,
    ),
    "",
  ];
  return lines.join("\n");
}

function timesAsLong({ sealwork, docker_cp }: FileTransfer["out"]): number {
  return sealwork.median / docker_cp.median;
}

function row(name: string, { median, p95, lowest }: Summary): string {
  const columns = [median, p95, lowest].map((ms) => ms.toFixed(1).padStart(8)).join(" ");
  return `  ${name.padEnd(54)} ${columns}`;
}
