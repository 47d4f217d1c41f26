import type { RunnerEventBody } from "../../../../contract/event.ts";
import { writePlan } from "../notes.ts";
import { Plan, planMade, planText } from "../plan.ts";
import type { StateJournal } from "../state/state-journal.ts";
import type { OwnTool } from "./own-tool.ts";

export const PLAN_TOOL = "update_plan";

/** Makes the plan, and says how far it is. */
export function planTool(options: {
  journal: StateJournal;
  workspace: string;
  emit(body: RunnerEventBody): Promise<void>;
}): OwnTool<Plan> {
  const { journal, workspace, emit } = options;
  return {
    name: PLAN_TOOL,
    description:
      "Sets your plan, which people see: all steps with their states, the files that the work will leave, and the checks that prove the result. Call it again when a step begins or is done, or when the plan changes. Files and checks that are left out stay as they were.",
    input: Plan,
    async run(given) {
      const { plan: before } = journal.state;
      const files = given.files.length === 0 ? (before?.files ?? []) : given.files;
      const checks = given.checks.length === 0 ? (before?.checks ?? []) : given.checks;
      // Else a check that fails could be passed by dropping it.
      if (checks.length < (before?.checks.length ?? 0))
        return {
          ok: false,
          text: `The plan has ${before?.checks.length} checks and keeps at least as many: put a better one in the place of one that is wrong.`,
        };
      const plan = { steps: given.steps, files, checks };
      await journal.set({ plan });
      await emit(planMade(plan));
      // It lies there for the agent to read; the state has it too.
      await writePlan(workspace, planText(plan));
      return { ok: true, text: "The plan is set." };
    },
  };
}
