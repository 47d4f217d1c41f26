import assert from "node:assert/strict";
import { test } from "node:test";
import type { Event } from "../contract/event.ts";
import type { Question } from "../contract/link.ts";
import { OutLink } from "../runner/link/out.ts";
import { ended, hasCode, is, never, schedule, until, worldOf } from "./agent-job-fixture.ts";
import type { Work } from "./world-fixture.ts";

const QUESTION: Question = { key: "1", kind: "step", title: "Run it?", detail: "rm -r build" };
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

test("a question that comes while the start of its job is still being answered is asked all the same", async () => {
  const asked = Promise.withResolvers<string>();
  await using world = await worldOf(async (runner) => {
    await runner.say(await asked.promise);
    await runner.end();
  });
  world.out.models = (connection) => connection.resume().end();
  world.engine.hindrance = async (runner) => {
    const out = new OutLink({ folder: runner.spec.link_folder });
    runner.stopped.signal.addEventListener("abort", () => void out[Symbol.asyncDispose]());
    const question = { key: "1", kind: "step" as const, title: "Run it?", detail: "" };
    out.ask(question, never).then(asked.resolve, asked.reject);
    // What is opened behind it on the same connection arrives after it.
    for (let i = 0; i < 3; i += 1) (await out.connect("models")).destroy();
  };
  const { job_id } = await schedule(world, { approval: { policy: "always" } });
  await until(world, job_id, is("approval.asked"));
  await world.orchestrator.decide(job_id, 1, "allow");
  const output = await until(world, job_id, is("step.output"));
  assert.ok(output.type === "step.output" && output.data.data === "allow");
});
