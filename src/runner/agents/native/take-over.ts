import { lostStep } from "../../steps.ts";
import type { AgentContext } from "./agent-context.ts";
import { resultMessage } from "./calls/carry-out.ts";
import { pendingCalls } from "./memory/exchanges.ts";

/**
 * Makes what lies on the volume something to go on from: the step that ran when the old sandbox died is ended, its call and those behind it
 * are answered, and the model will be told. A call that a person was being asked about stays open, so that their answer still holds.
 */
export async function takeOver(context: AgentContext): Promise<void> {
  const { journal, place } = context;
  const { node, open } = journal.state;
  const step = open?.step ?? null;
  if (step !== null) await place.emit(lostStep(step));
  const pending = pendingCalls(journal.state.messages);
  const asked = open !== null && step === null && pending.some(({ toolCallId }) => toolCallId === open.id);
  // A call that may have been asked for goes on with the graph.
  const lost = asked ? [] : pending;
  const results = lost.map((call) =>
    resultMessage(call, {
      outcome: "failed",
      text: call.toolCallId === open?.id ? CUT_SHORT : NOT_DONE,
    }),
  );
  const changed = step !== null || journal.state.changed;
  const notice = node === null ? REPLACED : `${REPLACED} Go on with the task.`;
  await journal.add(results, { open: asked ? open : null, changed, notice });
}

/** Said to the model when the state of an earlier sandbox cannot be read. */
export const DAMAGED =
  "The sandbox died and another one took over, but the record of what you did is damaged: you start over. The workspace is as it was left; look at it first, and at .sealwork/plan.md and .sealwork/notes.md in it.";

const REPLACED =
  "The sandbox died and another one took over. Files are as they were, but every process is gone: the shell's folder and variables, Python's values, servers and background commands.";
const CUT_SHORT =
  "The sandbox died while this ran. How far it came is not known: look before you do it again.";
const NOT_DONE = "Not done: the sandbox died before. Call it again if it is still needed.";
