import assert from "node:assert/strict";
import { test } from "node:test";
import { AppError } from "../contract/errors.ts";
import type { Event } from "../contract/event.ts";
import { type Job, JobRequest, type JobRequestInput } from "../contract/job.ts";
import type { Question, Start } from "../contract/link.ts";
import { OutLink } from "../runner/link/out.ts";
import type { Outbound } from "./outbound.ts";
import { type InnerRunner, type Work, World } from "./world-fixture.ts";

const never = new AbortController().signal;
const ALL = { after: null, types: null, follow: true };
const QUESTION: Question = { key: "1", kind: "step", title: "Run it?", detail: "rm -r build" };
const hasCode = (code: string) => (error: unknown) => error instanceof AppError && error.code === code;

async function worldOf(work: Work): Promise<World> {
  const world = await World.open(work);
  world.providers = [
    { name: "google", protocol: "google", base_url: "http://localhost", has_key: true, default_model: "m" },
  ];
  await world.start();
  return world;
}

function schedule(world: World, request: Partial<JobRequestInput> = {}): Promise<Job> {
  const whole = JobRequest.parse({ prompt: "Do something.", approval: { policy: "always" }, ...request });
  return world.orchestrator.schedule(whole, { upload: null, idempotency: null }, never);
}

async function until(world: World, job_id: string, wanted: (event: Event) => boolean): Promise<Event> {
  for await (const event of world.orchestrator.events(job_id, ALL, never)) if (wanted(event)) return event;
  throw new Error(`job ${job_id} ended without that event`);
}

async function ended(world: World, job_id: string): Promise<{ job: Job; events: Event[] }> {
  const events = await Array.fromAsync(world.orchestrator.events(job_id, ALL, never));
  return { job: await world.orchestrator.job(job_id), events };
}

const is =
  (type: Event["type"]) =>
  (event: Event): boolean =>
    event.type === type;
const inPhase = (phase: string) => (event: Event) =>
  event.type === "phase.changed" && event.data.phase === phase;

/** Asks over the real link and says what the answer was. */
function asking(question: Question = QUESTION): Work {
  return async (runner) => {
    await using out = new OutLink({ folder: runner.spec.link_folder });
    await runner.say(await out.ask(question, never));
    await runner.end();
  };
}

test("a question waits for a person: the job is waiting meanwhile, and the answer reaches who asked", async () => {
  await using world = await worldOf(asking());
  const { job_id } = await schedule(world);
  const asked = await until(world, job_id, inPhase("waiting"));
  const { phase, status, approvals } = await world.orchestrator.job(job_id);
  assert.deepEqual([phase, status], ["waiting", "running"]);
  assert.deepEqual(
    approvals.map(({ n, kind, title, detail }) => ({ n, kind, title, detail })),
    [{ n: 1, kind: "step", title: "Run it?", detail: "rm -r build" }],
  );
  assert.ok(!("key" in (approvals[0] ?? {})), "what is ours stays inside");
  await assert.rejects(world.orchestrator.decide(job_id, 2, "allow"), hasCode("not_found"));
  assert.deepEqual(await world.orchestrator.decide(job_id, 1, "allow"), { job_id, n: 1, decision: "allow" });
  const { job, events } = await ended(world, job_id);
  assert.deepEqual([job.status, job.approvals], ["complete", []]);
  const tail = events.filter(({ seq }) => seq > asked.seq).map(({ type, data }) => [type, data]);
  assert.deepEqual(tail[0], ["approval.given", { n: 1, decision: "allow", by: "person" }]);
  assert.deepEqual(tail[1], ["phase.changed", { phase: "working", status: "running" }]);
  assert.equal(events.find(is("step.output"))?.type, "step.output");
});

test("the same answer again is no fault, another one is a conflict, and after the end nobody is asked", async () => {
  const going_on = Promise.withResolvers<void>();
  await using world = await worldOf(async (runner) => {
    await using out = new OutLink({ folder: runner.spec.link_folder });
    await runner.say(await out.ask(QUESTION, never));
    await going_on.promise;
    await runner.end();
  });
  const { job_id } = await schedule(world);
  await until(world, job_id, is("approval.asked"));
  await world.orchestrator.decide(job_id, 1, "deny");
  await world.orchestrator.decide(job_id, 1, "deny");
  await assert.rejects(world.orchestrator.decide(job_id, 1, "allow"), hasCode("conflict"));
  going_on.resolve();
  const { events } = await ended(world, job_id);
  assert.equal(events.filter(is("approval.given")).length, 1);
  await assert.rejects(world.orchestrator.decide(job_id, 1, "deny"), hasCode("conflict"));
});

test("silence until the time limit means no, and waiting for a person uses no idle time", async () => {
  await using world = await worldOf(asking());
  const { job_id } = await schedule(world, {
    approval: { policy: "always", timeout_s: 2 },
    limits: { idle_timeout_s: 1 },
  });
  const { job, events } = await ended(world, job_id);
  assert.equal(job.status, "complete", JSON.stringify(job.reason));
  assert.deepEqual(events.find(is("approval.given"))?.data, { n: 1, decision: "deny", by: "timeout" });
});

test("an orchestrator that comes back has the same question, and its answer arrives", async () => {
  await using world = await worldOf(asking());
  const { job_id } = await schedule(world);
  await until(world, job_id, inPhase("waiting"));
  await world.stop();
  await world.start();
  assert.equal((await world.orchestrator.job(job_id)).approvals.length, 1);
  await world.orchestrator.decide(job_id, 1, "allow");
  const { job, events } = await ended(world, job_id);
  assert.equal(job.status, "complete");
  assert.equal(events.filter(is("approval.asked")).length, 1);
});

test("what of a question is not shown is said", async () => {
  await using world = await worldOf(asking({ ...QUESTION, detail: "x".repeat(7_000) }));
  const { job_id } = await schedule(world);
  await until(world, job_id, inPhase("waiting"));
  const [open] = (await world.orchestrator.job(job_id)).approvals;
  assert.match(open?.detail ?? "", /^x{3900,}.* … and 3000 more characters that are not shown$/);
  await world.orchestrator.cancel(job_id);
});

test("a cancelled job answers its open questions with no", async () => {
  await using world = await worldOf(asking());
  const { job_id } = await schedule(world);
  await until(world, job_id, inPhase("waiting"));
  await world.orchestrator.cancel(job_id);
  const { job, events } = await ended(world, job_id);
  assert.equal(job.status, "cancelled");
  assert.deepEqual(events.find(is("approval.given"))?.data, { n: 1, decision: "deny", by: "job_end" });
});

test("a message reaches the agent at work; a script, and a job that does not work, take none", async () => {
  const heard = Promise.withResolvers<void>();
  await using world = await worldOf(async (runner, start) => {
    await runner.say("began");
    if (start.agent === "native") await heard.promise;
    await runner.end();
  });
  const { job_id } = await schedule(world);
  await until(world, job_id, is("step.output"));
  const answer = await world.orchestrator.message(job_id, "Also in blue.", never);
  assert.deepEqual(answer, { job_id, accepted: true });
  const said = await until(world, job_id, is("message.said"));
  assert.deepEqual(said.data, { from: "person", text: "Also in blue." });
  heard.resolve();
  await ended(world, job_id);
  await assert.rejects(world.orchestrator.message(job_id, "Hello?", never), hasCode("conflict"));
});

test("an agent that has answered lingers: the job waits, goes on with a message, and its clock ends it as complete", async () => {
  const again = Promise.withResolvers<void>();
  await using world = await worldOf(async (runner) => {
    const waiting = { summary: "First answer.", linger_s: 60 };
    await runner.emit({ type: "agent.waiting", data: waiting });
    await again.promise;
    await runner.emit({ type: "message.said", data: { from: "person", text: "More." } });
    await runner.emit({ type: "agent.waiting", data: { ...waiting, summary: "Second answer." } });
  });
  const { job_id } = await schedule(world, { linger_s: 60, limits: { timeout_s: 3 } });
  await until(world, job_id, inPhase("waiting"));
  again.resolve();
  const { job, events } = await ended(world, job_id);
  assert.deepEqual([job.status, job.result?.summary], ["complete", "Second answer."]);
  assert.deepEqual(
    events.filter(is("phase.changed")).map(({ data }) => ("phase" in data ? data.phase : null)),
    ["queued", "starting", "working", "waiting", "working", "waiting", "packing", "ended"],
  );
});

test("to cancel a job that only lingers ends the waiting, and the job is complete", async () => {
  await using world = await worldOf(async (runner) => {
    await runner.emit({ type: "agent.waiting", data: { summary: "The answer.", linger_s: 60 } });
  });
  const { job_id } = await schedule(world, { linger_s: 60 });
  await until(world, job_id, inPhase("waiting"));
  assert.equal((await world.orchestrator.cancel(job_id)).cancelled, false);
  const { job } = await ended(world, job_id);
  assert.deepEqual([job.status, job.reason, job.result?.summary], ["complete", null, "The answer."]);
  assert.equal((await world.orchestrator.cancel(job_id)).cancelled, false);
});

test("when its sandbox dies an agent goes on once in a fresh one on the same volume; a second death ends the job", async () => {
  const starts: Start[] = [];
  await using world = await worldOf(async (runner, start) => {
    starts.push(start);
    runner.files.set(`started-${starts.length}.txt`, "x");
    await runner.say("began");
  });
  const { job_id } = await schedule(world);
  await until(world, job_id, is("step.output"));
  await world.engine.kill(current(world).spec.id);
  await until(world, job_id, is("sandbox.replaced"));
  for (let seen = 0; seen < 2; )
    for await (const event of world.orchestrator.events(job_id, ALL, never))
      if (event.type === "step.output" && ++seen === 2) break;
  assert.deepEqual(
    starts.map(({ resume }) => resume),
    [false, true],
  );
  assert.notEqual(starts[0]?.secret, starts[1]?.secret);
  await world.engine.kill(current(world).spec.id);
  const { job, events } = await ended(world, job_id);
  assert.deepEqual([job.status, job.reason?.code], ["error", "sandbox_died"]);
  assert.equal(events.filter(is("sandbox.replaced")).length, 2, "one that goes on, one that packs");
  const files = await world.orchestrator.files(job_id, "", never);
  assert.deepEqual(
    files.entries.map(({ path }) => path).filter((path) => path.startsWith("started")),
    ["started-1.txt", "started-2.txt"],
  );
});

test("a sandbox that died while no orchestrator was there is taken over too", async () => {
  const starts: Start[] = [];
  await using world = await worldOf(async (runner, start) => {
    starts.push(start);
    await runner.say("began");
    if (start.resume) await runner.end();
  });
  const { job_id } = await schedule(world);
  await until(world, job_id, is("step.output"));
  const { id } = current(world).spec;
  await world.stop();
  await world.engine.kill(id);
  await world.start();
  const { job } = await ended(world, job_id);
  assert.deepEqual([job.status, starts.map(({ resume }) => resume)], ["complete", [false, true]]);
});

test("a script whose sandbox dies is not started over", async () => {
  await using world = await worldOf(async (runner) => runner.say("began"));
  const { job_id } = await schedule(world, { agent: "script", prompt: "```sh\ntrue\n```" });
  await until(world, job_id, is("step.output"));
  await world.engine.kill(current(world).spec.id);
  const { job } = await ended(world, job_id);
  assert.equal(job.reason?.code, "sandbox_died");
});

/** A job at work whose sandbox has opened a stream for models, and what the gateway may ask of it. */
async function reaching(world: World, request: Partial<JobRequestInput>) {
  const met = Promise.withResolvers<Outbound>();
  world.out.models = (connection, outbound) => {
    connection.resume().end();
    met.resolve(outbound);
  };
  const { job_id } = await schedule(world, request);
  await until(world, job_id, is("job.started"));
  return { job_id, outbound: await met.promise };
}

const opening: Work = async (runner) => {
  await using out = new OutLink({ folder: runner.spec.link_folder });
  (await out.connect("models")).destroy();
  await runner.say("began");
};

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
  await world.orchestrator.cancel(job_id);
  const { job, events } = await ended(world, job_id);
  assert.deepEqual(job.egress.hosts, ["example.org", "*.example.com", "a.test:443"]);
  assert.deepEqual(
    events.filter(is("egress.opened")).map(({ data }) => data),
    [
      { host: "*.example.com", by: "request" },
      { host: "a.test:443", by: "approval" },
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

function current(world: World): InnerRunner {
  const living = [...world.engine.runners.values()].find(({ ended }) => ended === null);
  assert(living !== undefined, "a sandbox lives");
  return living;
}
