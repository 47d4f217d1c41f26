import { randomBytes } from "node:crypto";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { ReasonCode } from "../../../contract/errors.ts";
import type { RunnerEventBody } from "../../../contract/event.ts";
import type { Question } from "../../../contract/link.ts";
import { parseScript, type ScriptStep } from "../../../contract/script.ts";
import type { Blobs } from "../../blobs.ts";
import { cutToJsonBytes, firstLine } from "../../event-text.ts";
import type { ToolProcesses, ToolResult } from "../../process/tool-processes.ts";
import { isOk, Steps, TITLE_MAX_BYTES } from "../../steps.ts";
import type { Desktop } from "../../surfaces/desktop/desktop.ts";
import type { StepContext } from "../../tools/tool.ts";
import { comparable, writeFileBelow } from "../../workspace/write-file.ts";
import type { AgentEnd } from "../agent.ts";
import { complete, failed, stopped } from "../agent-end.ts";
import { folderAfter, isFolder, shellWrapper } from "./working-directory.ts";

/** Parts of an event, as JSON, so that the whole stays below EVENT_MAX_BYTES. */
const PLAN_MAX_BYTES = 56 * 1024;
/** What a planned step takes beside its title. */
const PLANNED_BYTES = 32;

/** How much of a step's code goes with a question; the orchestrator says how much of it is not shown. */
const DETAIL_MAX_CHARS = 8_000;
const DENIED: ToolResult = {
  cause: "not_started",
  exit_code: null,
  signal: null,
  message: "A person did not allow it.",
  duration_ms: 0,
};

const NO_DESKTOP = "This image has no desktop; the template `desktop` has one.";

export type ScriptAgentOptions = {
  prompt: string;
  workspace: string;
  /** The environment of every step. */
  env: Record<string, string>;
  /** Where the code of the running step lies, outside the workspace. */
  scratch: string;
  processes: ToolProcesses;
  /** Opens the desktop; left out where the image has none. */
  desktop?: (() => Promise<Desktop>) | undefined;
  blobs: Blobs;
  emit(body: RunnerEventBody): Promise<void>;
  /** Asks a person before each step; left out where nobody is asked. Rejects with the signal's reason. */
  ask?: ((question: Question) => Promise<"allow" | "deny">) | undefined;
  /** Aborted with a StopCause. */
  signal: AbortSignal;
  /** Bytes of output kept; the contract's bound when left out. */
  output_max_bytes?: number;
};

/** The first prompt takes ten times as long to read as the next, because the parser's code is compiled when it is first used. */
export function prepareScripts(): void {
  parseScript("# Title\n\n```sh\necho\n```\n");
}

/**
 * Runs the fenced blocks of a prompt one after the other. Returns how the job ended; the caller says it. The first step that fails ends the
 * job unless its fence says `continue`. Throws AppError for a prompt that is no script, and what `emit` throws.
 */
export async function runScript(options: ScriptAgentOptions): Promise<AgentEnd> {
  return new ScriptAgent(options).run();
}

class ScriptAgent {
  readonly #options: ScriptAgentOptions;
  readonly #steps: Steps;
  /** Not to be guessed, so that no block comes to rely on it. */
  readonly #folder: string;
  #cwd: string;

  constructor(options: ScriptAgentOptions) {
    this.#options = options;
    const { emit, blobs, output_max_bytes } = options;
    this.#steps = new Steps({ emit, blobs, first: 0, output_max_bytes });
    this.#folder = join(options.scratch, `script-${randomBytes(4).toString("hex")}`);
    this.#cwd = options.workspace;
  }

  async run(): Promise<AgentEnd> {
    const { prompt, emit, signal } = this.#options;
    const steps = parseScript(prompt);
    const title_max_bytes = Math.min(
      TITLE_MAX_BYTES,
      Math.floor(PLAN_MAX_BYTES / Math.max(steps.length, 1)) - PLANNED_BYTES,
    );
    const plan = steps.map((step) => ({
      title: cutToJsonBytes(titleOf(step), title_max_bytes),
      state: "pending" as const,
    }));
    await emit({ type: "plan.made", data: { steps: plan, files: [], checks: [] } });
    let passed_over = 0;
    try {
      for (const [index, step] of steps.entries()) {
        if (signal.aborted) return stopped(signal, index, steps.length);
        const result = await this.#step(step);
        if (signal.aborted) return stopped(signal, index, steps.length);
        if (isOk(result)) continue;
        if (!step.continue_on_failure) return stepFailed(index + 1, step, result);
        passed_over += 1;
      }
    } finally {
      await rm(this.#folder, { recursive: true, force: true }).catch(() => undefined);
    }
    const failures = passed_over === 0 ? "" : `, ${passed_over} of them failed and was marked \`continue\``;
    return complete(`${steps.length} of ${steps.length} steps ran${failures}.`);
  }

  async #step(step: ScriptStep): Promise<ToolResult> {
    const subject = { tool: step.tool, title: titleOf(step), code: step.code };
    const allowed = await this.#allowed(step);
    return this.#steps.run(subject, this.#options.signal, async (context) => {
      if (!allowed) return DENIED;
      if (step.tool === "desktop") return this.#runDesktop(step, context);
      return step.tool === "file" ? this.#write(step, context) : this.#runTool(step, context);
    });
  }

  async #allowed(step: ScriptStep): Promise<boolean> {
    const { ask, signal } = this.#options;
    if (ask === undefined) return true;
    const number = this.#steps.last + 1;
    const title = cutToJsonBytes(`Run step ${number} (${step.tool}): ${titleOf(step)}`, TITLE_MAX_BYTES);
    const question = {
      key: `${number}`,
      kind: "step" as const,
      title,
      detail: step.code.slice(0, DETAIL_MAX_CHARS),
    };
    try {
      return (await ask(question)) === "allow";
    } catch (error) {
      if (signal.aborted) return false;
      throw error;
    }
  }

  async #write(step: Extract<ScriptStep, { tool: "file" }>, context: StepContext): Promise<ToolResult> {
    const begun = performance.now();
    const ended = (message: string | null): ToolResult => ({
      cause: message === null ? "exited" : "not_started",
      exit_code: message === null ? 0 : null,
      signal: null,
      message,
      duration_ms: performance.now() - begun,
    });
    let before: Buffer | null;
    try {
      before = await writeFileBelow(this.#options.workspace, step.path, Buffer.from(step.code));
    } catch (error) {
      return ended(
        `${step.path} could not be written: ${error instanceof Error ? error.message : String(error)}`,
      );
    }
    await context.fileChanged(step.path, before === null ? null : comparable(before), step.code);
    return ended(null);
  }

  async #runDesktop(
    { actions }: Extract<ScriptStep, { tool: "desktop" }>,
    context: StepContext,
  ): Promise<ToolResult> {
    const { desktop, workspace } = this.#options;
    if (desktop === undefined) return { ...DENIED, message: NO_DESKTOP };
    const { runDesktopScript } = await import("../../tools/desktop/desktop-script.ts");
    return runDesktopScript(desktop, { actions, workspace, context });
  }

  async #runTool(step: ScriptStep, context: StepContext): Promise<ToolResult> {
    const { processes, workspace } = this.#options;
    if (!(await isFolder(this.#cwd))) this.#cwd = workspace;
    const report_path = join(this.#folder, "folder");
    const code_path = join(this.#folder, `step-${context.number}${step.tool === "python" ? ".py" : ".sh"}`);
    try {
      // A tool may have removed it.
      await mkdir(this.#folder, { recursive: true });
      await writeFile(code_path, step.code);
    } catch (error) {
      const message = `The code could not be stored: ${error instanceof Error ? error.message : String(error)}`;
      return { cause: "not_started", exit_code: null, signal: null, message, duration_ms: 0 };
    }
    const result = await processes.run({
      ...commandOf(step, code_path, report_path),
      cwd: this.#cwd,
      env: this.#environment(step),
      onOutput: context.output,
      signal: context.signal,
    });
    if (step.tool === "shell") this.#cwd = await folderAfter(report_path, this.#cwd);
    await rm(code_path, { force: true }).catch(() => undefined);
    return result;
  }

  #environment(step: ScriptStep): Record<string, string> {
    const env = { ...this.#options.env, PWD: this.#cwd };
    if (step.tool !== "python") return env;
    // The code lies elsewhere, but people expect to import what lies beside them.
    const { PYTHONPATH } = this.#options.env;
    return { ...env, PYTHONPATH: PYTHONPATH === undefined ? this.#cwd : `${this.#cwd}:${PYTHONPATH}` };
  }
}

/** Node reads its code from standard input: so modules are found from the working directory, and it sees by itself what the code is. */
function commandOf(step: ScriptStep, code_path: string, report_path: string) {
  const argv: [string, ...string[]] =
    step.tool === "shell"
      ? ["bash", "-eo", "pipefail", "-c", shellWrapper(report_path), code_path]
      : step.tool === "python"
        ? ["python3", "-u", code_path]
        : ["node", "-"];
  return { argv, stdin_path: step.tool === "js" || step.tool === "ts" ? code_path : null };
}

function titleOf(step: ScriptStep): string {
  return step.tool === "file" ? step.path : firstLine(step.code) || step.tool;
}

function stepFailed(number: number, step: ScriptStep, result: ToolResult): AgentEnd {
  const code: ReasonCode = result.cause === "out_of_memory" ? "out_of_memory" : "step_failed";
  const how =
    result.message ??
    (result.signal === null
      ? `It exited with code ${result.exit_code}.`
      : `It was ended by ${result.signal}.`);
  const where = `Step ${number} (${cutToJsonBytes(titleOf(step), TITLE_MAX_BYTES)}, line ${step.line} of the prompt)`;
  return { ...failed(`${where} failed. ${how}`, code), exit_code: result.exit_code };
}
