import { StopCause } from "../../../process/tool-processes.ts";
import { isOk } from "../../../steps.ts";
import type { AgentContext } from "../agent-context.ts";
import { askPerson } from "../calls/carry-out.ts";
import type { Check } from "../plan.ts";

/** A check that does not end by itself is no check. */
const CHECK_TIMEOUT_MS = 10 * 60 * 1000;
/** Of what a check wrote, the model sees the end. */
const TAIL_MAX_BYTES = 6_000;

/** `passed` is null for a check that a person did not allow. */
export type CheckResult = { check: Check; passed: boolean | null; text: string };

/** Runs one check of the plan, by a bash of its own: what the agent's shell has become does not count. */
export async function runCheck(context: AgentContext, check: Check): Promise<CheckResult> {
  const { journal, place, steps } = context;
  const title = `Check: ${check.title}`;
  const subject = { tool: "shell" as const, title, code: check.command };
  const number = journal.state.calls + 1;
  await journal.set({ calls: number });
  if (place.start.approval === "always") {
    const decision = await askPerson(context, `call-${number}`, subject);
    if (decision === "deny") return { check, passed: null, text: "A person did not allow it." };
  }
  const step = steps.last + 1;
  await journal.set({ steps: step, open: { id: `check-${number}`, number, step } });
  let tail = Buffer.alloc(0);
  const result = await steps.run(subject, place.signal, async (step_context) => {
    const timing = new AbortController();
    const timer = setTimeout(() => timing.abort(new StopCause("timed_out")), CHECK_TIMEOUT_MS);
    try {
      return await place.processes.run({
        argv: ["bash", "-c", check.command],
        cwd: place.workspace,
        // What Python compiles on the way to a check is no result.
        env: { ...place.env, PWD: place.workspace, PYTHONDONTWRITEBYTECODE: "1" },
        stdin_path: null,
        signal: AbortSignal.any([step_context.signal, timing.signal]),
        onOutput: async (stream, chunk) => {
          tail = Buffer.concat([tail, chunk]).subarray(-TAIL_MAX_BYTES);
          await step_context.output(stream, chunk);
        },
      });
    } finally {
      clearTimeout(timer);
    }
  });
  await journal.set({ open: null });
  const how =
    result.cause === "timed_out"
      ? `It did not end within ${CHECK_TIMEOUT_MS / 60_000} minutes.`
      : (result.message ??
        (result.signal === null ? `Exit code ${result.exit_code}.` : `It was ended by ${result.signal}.`));
  return { check, passed: isOk(result), text: `${how} ${tail.toString().toWellFormed().trim()}`.trim() };
}
