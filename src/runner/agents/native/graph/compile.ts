import type { AgentEnd } from "../../agent.ts";
import { complete, failed, stopped } from "../../agent-end.ts";
import type { AgentContext } from "../agent-context.ts";
import type { Node } from "../state/agent-state.ts";
import { type CheckResult, runCheck } from "./checks.ts";
import { converse, hear, prompt } from "./converse.ts";
import { missingFiles } from "./expected-files.ts";

/** How often the checks are run in one turn: failing ones go back to the model in between. */
const CHECK_ROUNDS_MAX = 4;
const FAILURE_MAX_CHARS = 1_500;

/** Result compilation: the plan's own checks decide whether the work is done; then the model says what there is. */
export async function compile(context: AgentContext): Promise<Node | AgentEnd> {
  const { journal, place, steps } = context;
  // An answer to a question has nothing to be checked or to be told of beyond itself.
  if (!journal.state.changed) return complete(lastWords(context));
  const results: CheckResult[] = [];
  for (const check of journal.state.plan?.checks ?? []) {
    const result = await runCheck(context, check).catch((error: unknown) => {
      if (place.signal.aborted) return null;
      throw error;
    });
    if (result === null || place.signal.aborted) return stopped(place.signal, steps.last);
    results.push(result);
  }
  const missing = await missingFiles(place.workspace, journal.state.plan?.files ?? []);
  const failures = results.filter(({ passed }) => passed === false);
  const check_rounds = journal.state.check_rounds + 1;
  await journal.set({ check_rounds });
  if (failures.length > 0) {
    if (check_rounds >= CHECK_ROUNDS_MAX) return checksFailed(failures, check_rounds);
    await prompt(context, backToWork(failures));
    return "work";
  }
  const said = place.inbox.take();
  if (said.length > 0) {
    for (const text of said) await hear(context, text);
    return "work";
  }
  await prompt(context, summaryRequest(results, missing));
  const answer = await converse(context, "none");
  // The work is done and proven: that there is no summary of it does not change that.
  const given_up = "outcome" in answer && answer.reason?.code === "agent_failed";
  if ("outcome" in answer && !given_up) return answer;
  await journal.set({ changed: false });
  return complete(("outcome" in answer ? "" : answer.text.trim()) || lastWords(context));
}

function checksFailed(failures: CheckResult[], rounds: number): AgentEnd {
  const told = failures.map(({ check, text }) => `"${check.title}" (${check.command}): ${text}`);
  const which = failures.length === 1 ? "A check of the plan still fails" : "Checks of the plan still fail";
  return failed(`${which} after ${rounds} rounds. ${told.join("\n")}`);
}

function backToWork(failures: CheckResult[]): string {
  const told = failures.map(
    ({ check, text }) => `- ${check.title}: \`${check.command}\`\n${text.slice(-FAILURE_MAX_CHARS)}`,
  );
  return `The checks of your plan were run, and these failed:\n${told.join("\n")}\n\nFind out why and mend the work. Where a check itself is wrong, put a right one in its place with update_plan; never weaken one that shows a real fault. The checks are run again when you answer without calling a tool.`;
}

function summaryRequest(results: CheckResult[], missing: string[]): string {
  const told = results.map(
    ({ check, passed }) => `- ${check.title}: ${passed ? "passed" : "not run, a person did not allow it"}`,
  );
  const checks =
    told.length === 0 ? "The work is done." : `The checks of your plan were run:\n${told.join("\n")}`;
  const absent =
    missing.length === 0
      ? ""
      : `\nThese files of your plan are not there; say so, and why: ${missing.join(", ")}.`;
  return `${checks}${absent}\n\nNow write the summary for the person who gave the task, without calling a tool: what there is now and where, how to use it, how it was checked, and what is missing or uncertain. Be short and concrete; no preamble.`;
}

/** What the model said last. */
function lastWords({ journal }: AgentContext): string {
  for (const { role, content } of journal.state.messages.toReversed()) {
    if (role !== "assistant") continue;
    const text =
      typeof content === "string"
        ? content
        : content.flatMap((part) => (part.type === "text" ? [part.text] : [])).join("");
    if (text.trim() !== "") return text.trim();
  }
  return "The work is done.";
}
