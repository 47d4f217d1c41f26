import { z } from "zod";
import { firstLine } from "../../event-text.ts";
import { StopCause, type ToolResult } from "../../process/tool-processes.ts";
import { KeptOutput } from "../kept-output.ts";
import { endingLine, notStarted } from "../outcome.ts";
import type { AgentTool, StepContext, ToolOutcome } from "../tool.ts";
import type { ToolPlace } from "../tool-place.ts";
import { layOut } from "./apart.ts";
import type { BackgroundProcesses } from "./background.ts";
import { saveAll } from "./shell-driver.ts";
import type { ShellSession } from "./shell-session.ts";

const TIMEOUT_S = 120;
const TIMEOUT_MAX_S = 3600;
const COMMAND_MAX_CHARS = 256 * 1024;
/** A background process that fails at once is told as a failure; one that lives this long has started. */
const STARTING_MS = 300;

export const ShellInput = z.object({
  command: z.string().min(1).max(COMMAND_MAX_CHARS).describe("Bash code, of any number of lines."),
  timeout_s: z
    .number()
    .min(1)
    .max(TIMEOUT_MAX_S)
    .default(TIMEOUT_S)
    .describe(`Seconds until the command is interrupted; ignored in the background.`),
  background: z
    .boolean()
    .default(false)
    .describe("Start it and return at once, for servers and long builds; read it with shell_output."),
  pty: z.boolean().default(false).describe("Give it a terminal, for programs that want one."),
});
export type ShellInput = z.infer<typeof ShellInput>;

export function shellTool(
  place: ToolPlace,
  session: ShellSession,
  background: BackgroundProcesses,
): AgentTool<ShellInput> {
  return {
    name: "shell",
    description: [
      "Runs bash code in a session that lasts: folder (cd), variables, functions and options are kept between calls. It starts in the workspace.",
      "Standard input is empty: nothing can be typed, so pass flags such as -y. You get the exit code and the output; of a long one its beginning and end, and the file that has it all.",
      `A command is interrupted after timeout_s (${TIMEOUT_S} unless you say otherwise, at most ${TIMEOUT_MAX_S}), and what it left in the background is ended with it.`,
      "With background: true it runs as a process of its own that sees the session's variables and functions; what it changes stays its own.",
    ].join(" "),
    input: ShellInput,
    step: "shell",
    changes: () => true,
    describe: ({ command }) => ({ title: firstLine(command) || "shell", code: command }),
    run(input, context) {
      if (input.background) return startInBackground(input, context);
      return input.pty ? runInTerminal(input, context) : runInSession(input, context);
    },
  };

  async function runInSession(input: ShellInput, context: StepContext): Promise<ToolOutcome> {
    await using kept = new KeptOutput({ home: place.home, step: context.number });
    const { note, ...result } = await session.run({
      code: input.command,
      timeout_ms: input.timeout_s * 1000,
      signal: context.signal,
      onOutput: both(kept, context),
    });
    return { ...result, for_model: told(result, kept, note) };
  }

  async function runInTerminal(input: ShellInput, context: StepContext): Promise<ToolOutcome> {
    const begun = performance.now();
    const state = await session.stateAfter(saveAll, context.signal);
    const files = await layOut({ ...place, code: input.command, state, cwd: session.cwd, pty: true });
    if (typeof files === "string") return notStarted(files, begun);
    await using laid_out = files;
    await using kept = new KeptOutput({ home: place.home, step: context.number });
    const late = new AbortController();
    const timer = setTimeout(() => late.abort(new StopCause("timed_out")), input.timeout_s * 1000);
    const signal = AbortSignal.any([context.signal, late.signal]);
    const run = { ...laid_out.start, stdin_path: null, signal, onOutput: both(kept, context) };
    const result = await place.processes.run(run).finally(() => clearTimeout(timer));
    return { ...result, for_model: told(result, kept, null) };
  }

  async function startInBackground(input: ShellInput, context: StepContext): Promise<ToolOutcome> {
    const begun = performance.now();
    const state = await session.stateAfter(saveAll, context.signal);
    const started = await background.start({
      code: input.command,
      state,
      cwd: session.cwd,
      pty: input.pty,
    });
    if ("refused" in started) return notStarted(started.refused, begun);
    const { id } = started;
    await background.waitForEnd(id, STARTING_MS, context.signal);
    const ended = background.list().find((view) => view.id === id)?.end ?? null;
    const hint = `Read its output with shell_output {"id": "${id}"}.`;
    const for_model =
      ended === null
        ? `Runs in the background as ${id}. ${hint}`
        : `${id} has ended already: ${endingLine(ended)}. ${hint}`;
    const exited = { cause: "exited" as const, exit_code: 0, signal: null, message: null };
    return { ...exited, ...ended, duration_ms: performance.now() - begun, for_model };
  }

  function told(result: ToolResult, kept: KeptOutput, note: string | null): string {
    const seconds = `${(result.duration_ms / 1000).toFixed(1)} s`;
    const notes = note === null ? "" : `\n${note}`;
    const news = background.endedSinceAsked().map((view) => {
      const how = view.end === null ? "" : endingLine(view.end);
      return `\nThe background process ${view.id} has ended: ${how}.`;
    });
    const output = kept.text();
    const head = `${endingLine(result)} (${seconds}, in ${session.cwd})${notes}${news.join("")}`;
    return output === "" ? `${head}\n(no output)` : `${head}\n${output}`;
  }
}

function both(kept: KeptOutput, context: StepContext) {
  return async (stream: "stdout" | "stderr", chunk: Buffer): Promise<void> => {
    await kept.add(chunk);
    await context.output(stream, chunk);
  };
}
