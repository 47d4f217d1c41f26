import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import { firstLine } from "../../event-text.ts";
import { resultOf, signalName, type ToolResult } from "../../process/tool-processes.ts";
import { KeptOutput } from "../kept-output.ts";
import { endingLine, notStarted } from "../outcome.ts";
import type { AgentTool, StepContext, ToolOutcome } from "../tool.ts";
import type { ToolPlace } from "../tool-place.ts";
import { CellOutputs } from "./cell-outputs.ts";
import type { CellOutput } from "./kernel-line.ts";
import { type CellEnd, type CellRun, KernelProcess } from "./kernel-process.ts";
import { Notebook } from "./notebook.ts";
import { RichOutputs } from "./rich-outputs.ts";

const TIMEOUT_S = 120;
const TIMEOUT_MAX_S = 3600;
const CODE_MAX_CHARS = 256 * 1024;
/** A cell that took too long has this long after its interrupt before its kernel is ended. */
const INTERRUPT_GRACE_MS = 5_000;
/** A cell that the kernel has not come to by then most likely waits for somebody else's, which is told. */
const WAITING_TOLD_MS = 3_000;
const WAITING =
  "Waiting for the kernel: it runs a cell that somebody started in Jupyter Lab, or is being restarted.\n";
const LOST_BEFORE =
  "\nThe kernel had ended since the last call (somebody restarted it, or it died): values from before are lost.";

export const PythonInput = z.object({
  code: z.string().min(1).max(CODE_MAX_CHARS).describe("Python code; the value of its last line is shown."),
  timeout_s: z
    .number()
    .min(1)
    .max(TIMEOUT_MAX_S)
    .default(TIMEOUT_S)
    .describe("Seconds until the code is interrupted; values are kept."),
});
export type PythonInput = z.infer<typeof PythonInput>;

export type PythonTool = AgentTool<PythonInput> & AsyncDisposable;

export function pythonTool(place: ToolPlace, helper_path: string): PythonTool {
  const notebook = new Notebook(place);
  const sockets = join(place.scratch, `.sw-${randomBytes(4).toString("hex")}`);
  let kernel: KernelProcess | null = null;
  let last: Promise<unknown> = Promise.resolve();
  let closed = false;
  /** The kernel ended, and what speaks for it, since the last call. */
  let replaced = false;

  return {
    name: "python",
    description: `Runs Python code in a Jupyter kernel that starts in the workspace and lasts: values, imports and functions are kept between calls. The value of the last line is shown, as in a notebook; plots and tables are shown to people, and described to you. There is no input(). Interrupted after timeout_s (${TIMEOUT_S} unless you say otherwise, at most ${TIMEOUT_MAX_S}).`,
    input: PythonInput,
    step: "python",
    changes: () => true,
    describe: ({ code }) => ({ title: firstLine(code) || "python", code }),
    run(input, context) {
      const run = last.then(() => runCell(input, context));
      last = run.catch(() => undefined);
      return run;
    },
    async [Symbol.asyncDispose]() {
      closed = true;
      await drop();
    },
  };

  async function runCell({ code, timeout_s }: PythonInput, context: StepContext): Promise<ToolOutcome> {
    const begun = performance.now();
    const started = await ready(context.signal);
    if (typeof started === "string") return notStarted(started, begun);
    const kills_before = await place.processes.oomKills();
    await using kept = new KeptOutput({ home: place.home, step: context.number });
    const rich = new RichOutputs(context);
    const outputs = new CellOutputs();
    let failure: { error: unknown } | null = null;
    const onOutput = async (output: CellOutput): Promise<void> => {
      outputs.add(output);
      // What emitting events throws ends the step, not the kernel's channel.
      await take(output, kept, rich, context).catch((error: unknown) => {
        failure ??= { error };
      });
    };
    const lost_before = started.takeLoss() || replaced;
    replaced = false;
    const onWaiting = (): Promise<void> => context.output("stderr", Buffer.from(WAITING));
    const { end, late } = await untilEnded(started, { code, onOutput, onWaiting, timeout_s }, context.signal);
    const result = await resultOfCell(end, late, timeout_s, kills_before, context.signal);
    const count = end !== null && "done" in end ? end.done.count : null;
    await notebook.add(code, count, outputs);
    if (failure !== null) throw (failure as { error: unknown }).error;
    const lost = end === null || "died" in end;
    // Another kernel has taken its place, unless what speaks for both is at an end too.
    if (lost) started.takeLoss();
    if (end === null || started.hasDied) await drop();
    const note = lost
      ? "\nThe kernel has ended and its values are lost; the next call has a new one."
      : lost_before
        ? LOST_BEFORE
        : "";
    const ended = { ...result, duration_ms: performance.now() - begun };
    const shown = kept.text();
    const seconds = (ended.duration_ms / 1000).toFixed(1);
    const how =
      result.cause === "exited" && !lost ? (result.exit_code === 0 ? "ok" : "error") : endingLine(result);
    const for_model = `${how} (${seconds} s)${note}\n${shown === "" ? "(no output)" : shown}`;
    return { ...ended, for_model, ...(rich.images.length > 0 ? { images: rich.images } : {}) };
  }

  async function ready(signal: AbortSignal): Promise<KernelProcess | string> {
    if (closed) return "The tools of this agent are closed.";
    if (kernel?.hasDied) {
      replaced = true;
      await drop();
    }
    if (kernel !== null) return kernel;
    const started = await KernelProcess.start({ ...place, helper_path, sockets }, signal);
    if (typeof started !== "string") kernel = started;
    return started;
  }

  async function drop(): Promise<void> {
    const ended = kernel;
    kernel = null;
    await ended?.[Symbol.asyncDispose]();
  }

  async function resultOfCell(
    end: CellEnd | null,
    late: boolean,
    timeout_s: number,
    kills_before: number | null,
    signal: AbortSignal,
  ): Promise<Omit<ToolResult, "duration_ms">> {
    if (signal.aborted) return resultOf({ kind: "lost" }, { argv: ["python3"], cwd: "", signal });
    if (late) {
      const message = `It took longer than ${timeout_s} s and was interrupted.`;
      return { cause: "timed_out", exit_code: null, signal: null, message };
    }
    if (end !== null && "done" in end)
      return { cause: "exited", exit_code: end.done.status === "ok" ? 0 : 1, signal: null, message: null };
    const code = end === null ? null : end.died.code;
    const message =
      code === 0
        ? "The Python kernel ended: it was told to, or somebody restarted it."
        : "The Python kernel died.";
    const died =
      code === null || code >= 0
        ? { cause: "exited" as const, exit_code: code || 1, signal: null, message }
        : { cause: "signalled" as const, exit_code: null, signal: signalName(-code), message };
    return place.processes.forMemory(died, kills_before);
  }
}

type WaitedCell = Omit<CellRun, "onBegun"> & { onWaiting(): Promise<void>; timeout_s: number };

/**
 * Runs a cell. One that takes too long is interrupted; the time counts from when the kernel has come to it, because people may run cells in
 * the same kernel. `end` is null when neither the interrupt nor the job's own stop brought it to an end.
 */
async function untilEnded(
  kernel: KernelProcess,
  { onWaiting, timeout_s, ...cell }: WaitedCell,
  signal: AbortSignal,
): Promise<{ end: CellEnd | null; late: boolean }> {
  const begun = Promise.withResolvers<null>();
  const ending = kernel.execute({ ...cell, onBegun: () => begun.resolve(null) });
  const waited = new AbortController();
  const stop = AbortSignal.any([signal, waited.signal]);
  const wait = (wait_ms: number): Promise<null> => sleep(wait_ms, null, { signal: stop }).catch(() => null);
  const stopped = new Promise<null>((resolve) => {
    if (stop.aborted) resolve(null);
    else stop.addEventListener("abort", () => resolve(null), { once: true });
  });
  try {
    const started = Promise.race([ending, begun.promise, stopped]);
    const told = await Promise.race([started.then(() => false), wait(WAITING_TOLD_MS).then(() => true)]);
    if (told && !signal.aborted) await onWaiting();
    await started;
    const end = await Promise.race([ending, wait(timeout_s * 1000)]);
    if (end !== null) return { end, late: false };
    if (signal.aborted) return { end: null, late: false };
    kernel.interrupt();
    return { end: await Promise.race([ending, wait(INTERRUPT_GRACE_MS)]), late: true };
  } finally {
    waited.abort();
  }
}

async function take(
  output: CellOutput,
  kept: KeptOutput,
  rich: RichOutputs,
  context: StepContext,
): Promise<void> {
  if (output.event === "display") {
    await kept.add(Buffer.from(`${await rich.show(output.data)}\n`));
    return;
  }
  const text = Buffer.from(output.event === "error" ? `${output.text}\n` : output.text);
  await kept.add(text);
  await context.output(output.event === "error" ? "stderr" : output.name, text);
}
