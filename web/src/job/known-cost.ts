import type { Job } from "../../../src/contract/job.ts";

/** Whether there is a cost to tell: calls of models without a price add nothing to it, which is unknown, not free. */
export function hasKnownCost({ usage, budget }: Pick<Job, "usage" | "budget">): boolean {
  return usage.cost_usd > 0 || budget.max_cost_usd !== null;
}
