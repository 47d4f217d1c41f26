import { availableParallelism, cpus, homedir, release, totalmem } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { TestOrchestrator } from "../e2e/harness.ts";
import { setUp } from "../src/bin/set-up.ts";
import { readSettings } from "../src/bin/settings.ts";
import { silentProgress } from "../src/cli/progress.ts";
import type { Machine } from "./bench-sandbox.ts";
import { measureColdStart } from "./cold-start.ts";
import { measureDashboard } from "./dashboard.ts";
import { measureDesktop } from "./desktop.ts";
import { measureFileTransfer } from "./file-transfer.ts";
import { measureHistory } from "./history.ts";
import { measureJobPage } from "./job-page.ts";
import { measureMemory } from "./memory.ts";
import { measureNewProcess } from "./new-process.ts";
import { type Figures, targetsOf, textOf } from "./report.ts";
import { measureTerminalEcho } from "./terminal-echo.ts";

/*
 * Measures the targets of the project on this machine. `--json` prints everything as JSON, `--runs N` says how often (default 15).
 * Exits with 0 whether the targets are met or not: a figure from a busy machine is no reason to stop anything.
 */
const { values } = parseArgs({
  options: { json: { type: "boolean", default: false }, runs: { type: "string", default: "15" } },
});
const runs = Number(values.runs);
if (!Number.isSafeInteger(runs) || runs < 1)
  throw new Error(`--runs takes a whole number from 1, not ${values.runs}.`);

/** Each takes seconds, and differs little from the next. */
const TRANSFERS_MAX = 5;
const PAGES_MAX = 5;

const machine = await findMachine();
let figures: Figures;
{
  const environment = { XDG_CACHE_HOME: process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache") };
  // The first start fills the caches, as on any machine on which Sealwork has run before.
  await using orchestrator = await TestOrchestrator.start({ environment, launcher: true });
  await orchestrator.stop();
  await orchestrator.restart();
  const cold = await measureColdStart(machine, orchestrator, runs);
  figures = {
    at: new Date().toISOString(),
    machine: await describe(machine),
    runs,
    cold,
    process: await measureNewProcess(machine, 2 * runs),
    memory: await measureMemory(machine, orchestrator),
    terminal: await measureTerminalEcho(machine, orchestrator, 10 * runs),
    desktop: await measureDesktop(orchestrator, Math.ceil(runs / 5)),
    files: await measureFileTransfer(orchestrator, Math.min(runs, TRANSFERS_MAX)),
    history: await measureHistory(orchestrator, runs),
    dashboard: await measureDashboard(orchestrator, runs),
    job_page: await measureJobPage(orchestrator, Math.min(runs, PAGES_MAX)),
  };
}
const targets = targetsOf(figures);
process.stdout.write(
  values.json ? `${JSON.stringify({ ...figures, targets }, null, 2)}\n` : textOf(figures, targets),
);

async function findMachine(): Promise<Machine> {
  const settings = readSettings(process.env);
  const { engine, images } = await setUp(settings, silentProgress, new AbortController().signal);
  const template = settings.config.templates.base;
  if (template === undefined) throw new Error("The configuration has no template base.");
  const image = await images.ensure(
    { name: "base", image: template.image, build: template.build },
    () => undefined,
    new AbortController().signal,
  );
  return { docker: engine.docker, image: image.reference };
}

async function describe({ docker }: Machine): Promise<string> {
  const { ServerVersion } = await docker.info();
  const memory = `${Math.round(totalmem() / 2 ** 30)} GiB`;
  return `${availableParallelism()} × ${cpus()[0]?.model ?? "unknown"}, ${memory}, Linux ${release()}, Docker ${ServerVersion}, Node ${process.versions.node}`;
}
