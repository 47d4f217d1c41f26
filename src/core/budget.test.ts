import assert from "node:assert/strict";
import { test } from "node:test";
import { NO_USAGE } from "../contract/job.ts";
import { BudgetLedger, CALLS_MAX } from "./budget.ts";

const unbounded = { max_tokens: null, max_cost_usd: null, max_calls: null };
const portion = { tokens: 1, cost_usd: 0 };

test("a job without a budget of calls is bounded all the same, and one with a budget by that", () => {
  const made = (model_calls: number, max_calls: number | null) =>
    new BudgetLedger({ ...unbounded, max_calls }, () => ({ ...NO_USAGE, model_calls })).reserve(portion);
  assert.ok(Symbol.dispose in made(CALLS_MAX - 1, null));
  assert.ok(Symbol.dispose in made(CALLS_MAX, CALLS_MAX + 1));
  assert.deepEqual(made(CALLS_MAX, null), {
    message: `The job made ${CALLS_MAX} model calls, as many as a job may.`,
    for_now: false,
  });
  assert.deepEqual(made(3, 3), {
    message: "The job made 3 model calls, as many as its budget allows.",
    for_now: false,
  });
});
