import assert from "node:assert/strict";
import { test } from "node:test";
import type { Question } from "../contract/link.ts";
import { ended, hasCode, is, never, opening, reaching, until, worldOf } from "./agent-job-fixture.ts";
import { World } from "./world-fixture.ts";

const QUESTION: Question = { key: "1", kind: "step", title: "Run it?", detail: "rm -r build" };

const call = (input_tokens: number, output_tokens: number) => ({
  provider: "google",
  model: "m",
  outcome: "ok" as const,
  http_status: 200,
  attempts: 1,
  input_tokens,
  cached_tokens: 0,
  output_tokens,
  estimated: false,
  duration_ms: 5,
});
const estimate = (input_tokens: number, output_tokens: number) => ({
  provider: "google",
  model: "m",
  input_tokens,
  output_tokens,
});

test("a budget is kept by reservation: what does not fit is refused before it is made, and the job ends for it", async () => {
  await using world = await worldOf(opening);
  const { job_id, outbound } = await reaching(world, { budget: { max_tokens: 1000 } });
  assert.deepEqual(outbound.providers, ["google"]);
  const first = await outbound.reserve(estimate(100, 800), never);
  await first.settle(call(90, 110));
  await first.settle(call(90, 110));
  const second = await outbound.reserve(estimate(100, 700), never);
  await second.settle(call(100, 600));
  await assert.rejects(outbound.reserve(estimate(50, 60), never), hasCode("budget_exhausted"));
  await assert.rejects(outbound.reserve(estimate(1, 1), never), hasCode("budget_exhausted"));
  const { job, events } = await ended(world, job_id);
  assert.equal(job.reason?.code, "budget_exhausted");
  const { model_calls, input_tokens, output_tokens } = job.usage;
  assert.deepEqual(
    { model_calls, input_tokens, output_tokens },
    { model_calls: 2, input_tokens: 190, output_tokens: 710 },
  );
  assert.equal(events.filter(is("model.called")).length, 2);
});

test("a call that would fit once another has given back waits for it, and is let go when its caller goes away", async () => {
  await using world = await worldOf(opening);
  const { job_id, outbound } = await reaching(world, { budget: { max_tokens: 1000, max_calls: 3 } });
  const first = await outbound.reserve(estimate(100, 800), never);
  const leaving = new AbortController();
  const left = outbound.reserve(estimate(100, 800), leaving.signal);
  leaving.abort(new Error("the caller went away"));
  await assert.rejects(left, /went away/);
  let got = false;
  const second = outbound.reserve(estimate(100, 800), never).then((reservation) => {
    got = true;
    return reservation;
  });
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(got, false);
  await first.settle(call(10, 10));
  await (await second).settle(call(10, 10));
  await world.orchestrator.cancel(job_id);
  assert.equal((await ended(world, job_id)).job.reason?.code, "cancelled_by_user");
});

test("costs are counted by the prices of the configuration, and bound the budget in dollars", async () => {
  await using world = await World.open(opening);
  world.providers = [
    { name: "google", protocol: "google", base_url: "http://localhost", has_key: true, default_model: "m" },
  ];
  const price = { input_usd_per_million: 1_000_000, output_usd_per_million: 2_000_000 };
  const model = {
    context_tokens: 10_000,
    max_output_tokens: 1_000,
    cached_usd_per_million: 500_000,
    ...price,
  };
  world.config = { ...world.config, models: { "google/m": model } };
  await world.start();
  const { job_id, outbound } = await reaching(world, { budget: { max_cost_usd: 20 } });
  const first = await outbound.reserve(estimate(4, 8), never);
  await first.settle({ ...call(4, 3), cached_tokens: 2 });
  await assert.rejects(outbound.reserve(estimate(10, 1), never), /could cost \$12/);
  const { job } = await ended(world, job_id);
  assert.deepEqual([job.usage.cost_usd, job.reason?.code], [9, "budget_exhausted"]);
});

test("a host is opened for a job by request or by a yes; a no is remembered, and `never` asks nobody", async () => {
  await using world = await worldOf(opening);
  const { job_id, outbound } = await reaching(world, {
    approval: { policy: "risky" },
    egress: { policy: "allow", hosts: ["Example.org"] },
  });
  assert.deepEqual(outbound.egress, { policy: "allow", hosts: ["example.org"] });
  const { egress } = await world.orchestrator.openEgress(job_id, "*.Example.com");
  assert.deepEqual(egress.hosts, ["example.org", "*.example.com"]);
  const yes = outbound.askEgress("a.test", 443, never);
  await until(world, job_id, is("approval.asked"));
  await world.orchestrator.decide(job_id, 1, "allow");
  assert.equal(await yes, true);
  assert.ok(outbound.egress.hosts.includes("a.test:443"));
  const no = outbound.askEgress("b.test", 443, never);
  await until(world, job_id, (event) => event.type === "approval.asked" && event.data.n === 2);
  await world.orchestrator.decide(job_id, 2, "deny");
  assert.deepEqual([await no, await outbound.askEgress("b.test", 443, never)], [false, false]);
  const late = outbound.askEgress("d.test", 443, never);
  await until(world, job_id, (event) => event.type === "approval.asked" && event.data.n === 3);
  await world.orchestrator.openEgress(job_id, "d.test:443");
  await world.orchestrator.decide(job_id, 3, "allow");
  assert.equal(await late, true);
  await world.orchestrator.cancel(job_id);
  const { job, events } = await ended(world, job_id);
  assert.deepEqual(job.egress.hosts, ["example.org", "*.example.com", "a.test:443", "d.test:443"]);
  assert.deepEqual(
    events.filter(is("egress.opened")).map(({ data }) => data),
    [
      { host: "*.example.com", by: "request" },
      { host: "a.test:443", by: "approval" },
      { host: "d.test:443", by: "request" },
    ],
  );
  await assert.rejects(world.orchestrator.openEgress(job_id, "c.test"), hasCode("conflict"));
  const silent = await reaching(world, { approval: { policy: "never" } });
  await assert.rejects(silent.outbound.ask(QUESTION, never), hasCode("conflict"));
  assert.equal(await silent.outbound.askEgress("a.test", 443, never), false);
});

test("refused connections become events at once, and repeats are counted", async () => {
  await using world = await worldOf(opening);
  const { job_id, outbound } = await reaching(world, {});
  const denial = { host: "a.test", port: 443, rule: "policy" as const, message: "Not listed." };
  for (let i = 0; i < 500; i++) outbound.denied(denial);
  const denied = await until(world, job_id, is("egress.denied"));
  assert.deepEqual(denied.data, { ...denial, policy: "packages", count: 1 });
  const counted = await until(
    world,
    job_id,
    (event) => event.type === "egress.denied" && event.data.count > 1,
  );
  assert.deepEqual(counted.data, { ...denial, policy: "packages", count: 499 });
  for (let i = 0; i < 1000; i++) outbound.denied({ ...denial, host: `${i}.test` });
  await until(world, job_id, (event) => event.type === "egress.denied" && event.data.host === "(others)");
  for (let i = 0; i < 7; i++) outbound.denied(denial);
  await world.orchestrator.cancel(job_id);
  const { events } = await ended(world, job_id);
  const repeats = events.flatMap((event) =>
    event.type === "egress.denied" && event.data.host === "a.test" ? [event.data.count] : [],
  );
  assert.equal(
    repeats.reduce((sum, count) => sum + count),
    507,
    "what was counted at the end is told too",
  );
  assert.ok(events.filter(is("egress.denied")).length < 220, "different targets are bounded too");
});

test("with a budget in dollars a model whose price is not known is not called, and the job goes on", async () => {
  const price = { input_usd_per_million: 1, output_usd_per_million: 1, cached_usd_per_million: 1 };
  await using world = await worldOf(opening, {
    models: { m: { context_tokens: 1000, max_output_tokens: 100, ...price } },
  });
  const { job_id, outbound } = await reaching(world, { budget: { max_cost_usd: 1 } });
  const wanted = { provider: "google", input_tokens: 1, output_tokens: 1 };
  await assert.rejects(
    outbound.reserve({ ...wanted, model: "dear" }, never),
    (error) => hasCode("model_route_denied")(error) && /price of google\/dear/.test(String(error)),
  );
  await outbound.reserve({ ...wanted, model: "m" }, never);
  assert.equal((await world.orchestrator.job(job_id)).phase, "working");
});
