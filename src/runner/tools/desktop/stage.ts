import { AppError } from "../../../contract/errors.ts";
import { resultOf } from "../../process/tool-processes.ts";
import type { Desktop } from "../../surfaces/desktop/desktop.ts";
import { refused } from "../outcome.ts";
import type { StepContext, ToolOutcome } from "../tool.ts";
import type { Stage } from "./perform.ts";

/**
 * Lets `work` act on the desktop, which starts unless it runs; waits for a person who drives it, and says so. What ends it early, be it the end
 * of the job or of the desktop, becomes the outcome.
 */
export async function onStage(
  open: () => Promise<Desktop>,
  context: Pick<StepContext, "signal" | "output">,
  work: (stage: Stage, waited_for: string | null) => Promise<ToolOutcome>,
): Promise<ToolOutcome> {
  const begun = performance.now();
  const { signal } = context;
  try {
    const { hands } = await open();
    using look = await hands.screen.look(signal);
    const waited_for = await waitForDriver(hands.gate, context);
    return await work({ hands, client: look.client, signal }, waited_for);
  } catch (error) {
    if (signal.aborted) {
      const stopped = resultOf({ kind: "lost" }, { argv: ["desktop"], cwd: "", signal });
      return { ...stopped, duration_ms: performance.now() - begun, for_model: "The step was stopped." };
    }
    if (error instanceof AppError) return refused(error.message, begun);
    throw error;
  }
}

/** Who drove, when there was somebody to wait for. */
export async function waitForDriver(
  gate: Stage["hands"]["gate"],
  { signal, output }: Pick<StepContext, "signal" | "output">,
): Promise<string | null> {
  const driver = gate.held_by;
  if (driver === null) return null;
  await output("stdout", Buffer.from(`Waiting: ${driver} drives the desktop.\n`));
  await gate.free(signal);
  return driver;
}
