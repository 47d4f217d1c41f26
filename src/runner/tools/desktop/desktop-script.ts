import type { ScriptAction } from "../../../contract/script.ts";
import type { ToolResult } from "../../process/tool-processes.ts";
import type { Desktop } from "../../surfaces/desktop/desktop.ts";
import { copyOf } from "../../surfaces/desktop/framebuffer.ts";
import { pngOf } from "../../surfaces/desktop/png.ts";
import { writeFileBelow } from "../../workspace/write-file.ts";
import { done, refused } from "../outcome.ts";
import type { StepContext } from "../tool.ts";
import { perform } from "./perform.ts";
import { onStage, waitForDriver } from "./stage.ts";

/** Carries out the actions of a `desktop` fence; the first that cannot be done ends it, and its line is named. */
export function runDesktopScript(
  open: () => Promise<Desktop>,
  options: { actions: readonly ScriptAction[]; workspace: string; context: StepContext },
): Promise<ToolResult> {
  const { actions, workspace, context } = options;
  const begun = performance.now();
  return onStage(open, context, async (stage) => {
    const { client, hands, signal } = stage;
    let problem: string | null = null;
    for (const { line, action } of actions) {
      await waitForDriver(hands.gate, context);
      const performed = await perform(action, stage);
      if (performed.text !== "") await context.output("stdout", Buffer.from(`${performed.text}\n`));
      problem = performed.problem;
      if (problem === null && action.action === "screenshot" && action.file !== null)
        problem = await written(workspace, action.file, await pngOf(client.picture));
      if (problem !== null) {
        problem = `Line ${line} of the prompt: ${problem}`;
        break;
      }
    }
    signal.throwIfAborted();
    if (!client.closed) await hands.captures.ofStep(copyOf(client.picture), context.number);
    return problem === null ? done("", begun) : refused(problem, begun);
  });
}

async function written(workspace: string, path: string, content: Buffer): Promise<string | null> {
  try {
    await writeFileBelow(workspace, path, content);
    return null;
  } catch (error) {
    return `${path} could not be written: ${error instanceof Error ? error.message : String(error)}`;
  }
}
