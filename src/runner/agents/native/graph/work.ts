import type { AgentEnd } from "../../agent.ts";
import { failed } from "../../agent-end.ts";
import type { AgentContext } from "../agent-context.ts";
import { carryOut } from "../calls/carry-out.ts";
import { LoopWatch } from "../calls/loop-watch.ts";
import { pendingCalls } from "../memory/exchanges.ts";
import type { ModelAnswer } from "../model/model.ts";
import type { Node } from "../state/agent-state.ts";
import { converse, hear, prompt } from "./converse.ts";
import { refusalOf } from "./refusal.ts";

/** Answers in a row that are of no use before the work ends: empty ones, ones cut by the limit of an answer, calls that the provider could not read. */
const EMPTY_MAX = 3;
const CUT_MAX = 6;
const UNREADABLE_MAX = 5;

/** The tool loop: the model calls tools, one after the other, until it answers without calling one. */
export async function work(context: AgentContext): Promise<Node | AgentEnd> {
  const { journal, place } = context;
  const watch = new LoopWatch();
  const useless = { empty: 0, cut: 0, unreadable: 0 };
  for (;;) {
    const pending = pendingCalls(journal.state.messages);
    for (const call of pending) {
      const end = await carryOut(context, call, watch);
      if (end !== null) return end;
    }
    const answer = await converse(context, "auto");
    if ("outcome" in answer) return answer;
    const refusal = refusalOf(answer);
    if (refusal !== null) return refusal;
    const problem = problemOf(answer);
    if (problem === null) {
      useless.empty = useless.cut = useless.unreadable = 0;
      if (answer.calls.length > 0) continue;
      const said = place.inbox.take();
      if (said.length === 0) return "compile";
      for (const text of said) await hear(context, text);
      continue;
    }
    useless[problem] += 1;
    if (useless[problem] >= MOST[problem]) return failed(FAILED[problem]);
    if (answer.calls.length === 0) await prompt(context, PROMPTS[problem]);
  }
}

type Problem = "empty" | "cut" | "unreadable";

function problemOf({ calls, finish, text }: ModelAnswer): Problem | null {
  if (finish === "length") return "cut";
  if (calls.length > 0) return null;
  if (finish === "error") return "unreadable";
  return text.trim() === "" ? "empty" : null;
}

const MOST: Record<Problem, number> = { empty: EMPTY_MAX, cut: CUT_MAX, unreadable: UNREADABLE_MAX };
const PROMPTS: Record<Problem, string> = {
  empty: "Your answer was empty. Go on with the task: call a tool, or say that you are done.",
  cut: "Your answer was cut because it was too long. Go on where it stopped, in smaller pieces: write a large file in several calls.",
  unreadable:
    "Your last call could not be read. Make it again, as the tool's schema says, with a smaller input if it was large.",
};
const FAILED: Record<Problem, string> = {
  empty: `The model gave ${EMPTY_MAX} empty answers in a row.`,
  cut: `The model's answers were cut at their greatest length ${CUT_MAX} times in a row.`,
  unreadable: `The model made ${UNREADABLE_MAX} calls in a row that its provider could not read.`,
};
