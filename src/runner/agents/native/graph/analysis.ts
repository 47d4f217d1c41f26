import type { AgentEnd } from "../../agent.ts";
import type { AgentContext } from "../agent-context.ts";
import { carryOut } from "../calls/carry-out.ts";
import { LoopWatch } from "../calls/loop-watch.ts";
import { PLAN_TOOL } from "../calls/plan-tool.ts";
import { pendingCalls } from "../memory/exchanges.ts";
import { planMade } from "../plan.ts";
import type { Node } from "../state/agent-state.ts";
import { converse, prompt } from "./converse.ts";
import { refusalOf } from "./refusal.ts";

/** A model that makes no plan in so many answers works without one. */
const ANSWERS_MAX = 3;
const TITLE_MAX_CHARS = 200;

/** Task analysis: the model makes its plan, before anything is done. */
export async function analyse(context: AgentContext): Promise<Node | AgentEnd> {
  const { journal, place } = context;
  const watch = new LoopWatch();
  await prompt(context, ANALYSIS);
  for (let answers = 1; answers <= ANSWERS_MAX; answers++) {
    const answer = await converse(context, { tool: PLAN_TOOL });
    if ("outcome" in answer) return answer;
    const refusal = refusalOf(answer);
    if (refusal !== null) return refusal;
    for (const call of pendingCalls(journal.state.messages)) {
      const end = await carryOut(context, call, watch);
      if (end !== null) return end;
    }
    if (journal.state.plan !== null) return "work";
    if (answer.calls.length === 0) await prompt(context, NO_PLAN);
  }
  const [task = ""] = journal.state.requests;
  const title = task.trim().split("\n", 1)[0]?.slice(0, TITLE_MAX_CHARS).toWellFormed() || "Do the task";
  const plan = { steps: [{ title, state: "active" as const }], files: [], checks: [] };
  await journal.set({ plan });
  await place.emit(planMade(plan));
  await prompt(context, "Go on without a plan of yours: do the task now.");
  return "work";
}

const ANALYSIS = `Analyse the task first, and do nothing yet but call ${PLAN_TOOL}: the steps that it takes (one is enough for a small task), the files that it will leave, and the checks that will prove the result. A check is a command that a new bash runs in the workspace and that must end by itself with exit code 0; give none when nothing needs proof, such as for a question.`;
const NO_PLAN = `There is no plan yet. Call ${PLAN_TOOL} with your steps, and nothing else.`;
