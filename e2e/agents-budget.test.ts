import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { JobRequestInput } from "../src/contract/job.ts";
import { AgentsPlace, type Done, ofType, plan, shell } from "./agents.ts";
import { assertReason, text } from "./job-checks.ts";

const DEAR = {
  input_usd_per_million: 2,
  output_usd_per_million: 12,
  cached_usd_per_million: 0.5,
  context_tokens: 100_000,
  max_output_tokens: 2_000,
};
let place: AgentsPlace;
before(async () => {
  place = await AgentsPlace.start({ config: { concurrency: 3, models: { "google/dear": DEAR } } });
});
after(() => place[Symbol.asyncDispose]());

/** Of each answer: 4000 tokens of input and 1000 of output. */
const USAGE = { input: 4000, output: 900, cached: 1000, thoughts: 100 };
const COST_USD = (3000 * 2 + 1000 * 0.5 + 1000 * 12) / 1_000_000;

/** A job that works for ever, until its budget ends it. */
async function spent(
  model: string,
  budget: NonNullable<JobRequestInput["budget"]>,
): Promise<Done & { asked: number }> {
  let step = 0;
  const { job_id, play } = await place.begin(
    model,
    ({ choice }) => {
      if (choice === "update_plan") return { ...plan().answer, usage: USAGE };
      step += 1;
      return { ...shell(`echo ${step} > step-${step}.txt`), usage: USAGE };
    },
    { budget },
  );
  return { ...(await place.done(job_id)), asked: play.requests.length };
}

function assertUsage({ job, events, asked }: Pick<Done, "job" | "events"> & { asked: number }): void {
  assert.equal(ofType(events, "model.called").length, asked, "calls that were made are events, no others");
  const { model_calls, input_tokens, output_tokens } = job.usage;
  assert.deepEqual([model_calls, input_tokens, output_tokens], [asked, asked * 4000, asked * 1000]);
}

describe("the budget of a job", { concurrency: 3 }, () => {
  test("max_calls: not one call more is made, and the work is packed", async () => {
    const done = await spent("few-calls", { max_calls: 3 });
    assertReason(done.job, "budget_exhausted");
    assert.equal(done.asked, 3);
    assertUsage(done);
    assert.equal(text(done.zip, "step-2.txt"), "2\n");
  });

  test("max_tokens: a call that might not fit is refused before it is made", async () => {
    const done = await spent("few-tokens", { max_tokens: 40_000 });
    assertReason(done.job, "budget_exhausted");
    assertUsage(done);
    assert.ok(done.asked >= 3, `only ${done.asked} calls were made`);
    assert.ok(done.job.usage.input_tokens + done.job.usage.output_tokens <= 40_000);
    assert.equal(text(done.zip, "step-2.txt"), "2\n");
  });

  test("max_cost_usd: tokens are priced from the table, those from a cache for less", async () => {
    const done = await spent("dear", { max_cost_usd: 0.1 });
    assertReason(done.job, "budget_exhausted");
    assertUsage(done);
    const { cost_usd } = done.job.usage;
    assert.ok(Math.abs(cost_usd - done.asked * COST_USD) < 1e-9, `${done.asked} calls cost ${cost_usd}`);
    assert.ok(cost_usd <= 0.1 && done.asked >= 2);
    const [first] = ofType(done.events, "model.called");
    assert.ok(Math.abs((first?.cost_usd ?? 0) - COST_USD) < 1e-9);
  });
});

test("a model without a price cannot have a budget in money, and the refusal says so before anything runs", async () => {
  const answer = await place.orchestrator.fetch("/schedule", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ prompt: "x", model: "google/of-no-price", budget: { max_cost_usd: 1 } }),
  });
  assert.equal(answer.status, 422);
  assert.match(await answer.text(), /price of google\/of-no-price is not known/);
});
