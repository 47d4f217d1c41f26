import assert from "node:assert/strict";
import { appendFile, cp, mkdtemp, readFile, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type { RunnerEventBody } from "../../../../contract/event.ts";
import { compileReaper } from "../../../process/compiled-reaper.fake.ts";
import { type Given, nativeAgent } from "../native-agent-fixture.ts";
import { type Reply, ScriptedModel } from "../scripted-model.fake.ts";

let reaper: Awaited<ReturnType<typeof compileReaper>>;
before(async () => {
  reaper = await compileReaper();
});
after(() => reaper[Symbol.asyncDispose]());

const plan: Reply = {
  calls: [
    {
      name: "update_plan",
      input: { steps: [{ title: "count" }], checks: [{ title: "counted", command: "test -s order" }] },
    },
  ],
};
const count = (...words: string[]): Reply => ({
  calls: words.map((word) => ({ name: "shell", input: { command: `echo ${word} >> order` } })),
});
const SCRIPT: Reply[] = [
  plan,
  count("one"),
  count("two", "three"),
  { text: "Counted." },
  { text: "Summary." },
];

const agentWith = (model: ScriptedModel, given: Partial<Given> = {}) =>
  nativeAgent({ folder: reaper.folder, reaper_path: reaper.path, model, ...given });

/** A copy of the volume as it was at the first event that `when` holds for: what a sandbox leaves that is killed there. */
async function killedAt(when: (body: RunnerEventBody) => boolean, given: Partial<Given> = {}) {
  const home = await mkdtemp(join(reaper.folder, "killed-"));
  let killed = false;
  await using agent = await agentWith(new ScriptedModel(SCRIPT), {
    ...given,
    async onEvent(body) {
      if (killed || !when(body)) return;
      killed = true;
      await cp(agent.home, home, { recursive: true });
    },
  });
  await agent.conversation.turn("Count to three");
  assert.ok(killed);
  return home;
}

/** Goes on in another sandbox, with the answers that are left. */
async function resumed(home: string, script: Reply[], given: Partial<Given> = {}) {
  const model = new ScriptedModel(script);
  await using agent = await agentWith(model, { home, ...given, start: { ...given.start, resume: true } });
  const end = await agent.conversation.turn("Count to three");
  return { end, model, agent };
}

const started = (step: number) => (body: RunnerEventBody) =>
  body.type === "step.started" && body.data.step === step;
const ended = (step: number) => (body: RunnerEventBody) =>
  body.type === "step.ended" && body.data.step === step;

test("killed while a step ran: the step is ended, the model is told, and the work goes on from there", async () => {
  const home = await killedAt(started(2));
  const { end, model, agent } = await resumed(home, [
    count("two", "three"),
    { text: "Counted." },
    { text: "Summary." },
  ]);
  assert.deepEqual([end.outcome, end.summary], ["complete", "Summary."]);
  const [first, second] = agent.events;
  assert.ok(first?.type === "step.ended" && second?.type === "step.started");
  assert.deepEqual([first.data.step, first.data.cause, first.data.ok], [2, "reaper_lost", false]);
  assert.equal(second.data.step, 3);
  const sent = JSON.stringify(model.requests[0]?.prompt);
  assert.match(
    sent,
    /echo one.*How far it came is not known.*Not done: the sandbox died before.*every process is gone/,
  );
  assert.equal(await readFile(join(home, "workspace/order"), "utf8"), "one\ntwo\nthree\n");
});

test("killed between an answer and its first step: what was not begun is not done by itself", async () => {
  const home = await killedAt((body) => body.type === "step.ended");
  const { end, model, agent } = await resumed(home, SCRIPT.slice(2));
  assert.equal(end.outcome, "complete");
  assert.match(JSON.stringify(model.requests[0]?.prompt), /Go on with the task/);
  assert.equal(agent.told().filter((one) => one === "plan.made pending").length, 0);
});

test("killed while the plan was made: the analysis goes on", async () => {
  const home = await killedAt(({ type }) => type === "plan.made");
  const { end } = await resumed(home, SCRIPT.slice(1));
  assert.deepEqual([end.outcome, end.summary], ["complete", "Summary."]);
});

test("killed while a check ran: the check is ended, and all are run again", async () => {
  const home = await killedAt((body) => body.type === "step.started" && body.data.title.startsWith("Check"));
  const { end, agent } = await resumed(home, [{ text: "Summary." }]);
  assert.equal(end.summary, "Summary.");
  assert.deepEqual(agent.told(), ["step.ended failed", "step.started Check: counted", "step.ended ok"]);
});

test("killed while a person was asked: the same question is asked, and their answer holds", async () => {
  const home = await mkdtemp(join(reaper.folder, "killed-"));
  const start = { approval: "always" } as const;
  await using agent = await agentWith(new ScriptedModel(SCRIPT), { start });
  const first = agent.questions;
  {
    const asking = agent.conversation.turn("Count to three");
    await asking;
    await cp(agent.home, home, { recursive: true });
  }
  assert.deepEqual(
    first.map(({ key }) => key),
    ["call-1", "call-2", "call-3", "call-4"],
  );
  // The journal up to the moment of the second question.
  const journal = join(home, ".sealwork/agent/state.ndjson");
  const lines = (await readFile(journal, "utf8")).split("\n");
  const asked = lines.findIndex((line) => /"open":\{"id":"call-3","number":2,"step":null\}/.test(line));
  assert.ok(asked > 0);
  await writeFile(journal, `${lines.slice(0, asked + 1).join("\n")}\n`);
  const { end, agent: next } = await resumed(home, SCRIPT.slice(3), { start });
  assert.equal(end.outcome, "complete");
  assert.deepEqual(
    next.questions.map(({ key }) => key),
    ["call-2", "call-3", "call-4"],
  );
});

test("killed after the answer: it is given again, and a follow-up goes on", async () => {
  const home = await mkdtemp(join(reaper.folder, "killed-"));
  await using agent = await agentWith(new ScriptedModel(SCRIPT));
  const end = await agent.conversation.turn("Count to three");
  await cp(agent.home, home, { recursive: true });
  const model = new ScriptedModel([{ text: "Three." }]);
  await using next = await agentWith(model, { home, start: { resume: true } });
  assert.deepEqual(await next.conversation.turn("Count to three"), end);
  assert.equal((await next.conversation.turn("How far?")).summary, "Three.");
  assert.match(JSON.stringify(model.requests[0]?.prompt), /Count to three.*every process is gone.*How far\?/);
});

test("a line that was cut is as if its change had not been made", async () => {
  const home = await killedAt(ended(1));
  const journal = join(home, ".sealwork/agent/state.ndjson");
  await appendFile(journal, '{"set":{"open":null},"add":[{"role":"too');
  const { end } = await resumed(home, SCRIPT.slice(2));
  assert.equal(end.outcome, "complete");
});

test("a state that is damaged or missing means to start over, and the first is told", async () => {
  for (const damage of ["", "not json\n", '{"version":2}\n']) {
    const home = await killedAt(started(2));
    await writeFile(join(home, ".sealwork/agent/state.ndjson"), damage);
    const { end, model } = await resumed(home, SCRIPT);
    assert.equal(end.outcome, "complete");
    assert.match(JSON.stringify(model.requests[0]?.prompt), /the record of what you did is damaged/);
  }
  const home = await killedAt(started(3));
  await appendFile(join(home, ".sealwork/agent/state.ndjson"), "not json\n");
  const { agent } = await resumed(home, SCRIPT);
  const first = agent.events.find(({ type }) => type === "step.started");
  assert.ok(first?.type === "step.started" && first.data.step === 4, "no number is used twice");
  const { end, model } = await resumed(await mkdtemp(join(reaper.folder, "new-")), SCRIPT);
  assert.equal(end.outcome, "complete");
  assert.doesNotMatch(JSON.stringify(model.requests[0]?.prompt), /damaged/);
});

test("a journal that is cut anywhere is taken up without fault", async () => {
  const home = await killedAt((body) => body.type === "step.started" && body.data.title.startsWith("Check"));
  const journal = join(home, ".sealwork/agent/state.ndjson");
  const { length } = await readFile(journal);
  for (let cut = length - 1; cut > 0; cut -= Math.ceil(length / 40)) {
    const copy = await mkdtemp(join(reaper.folder, "cut-"));
    await cp(home, copy, { recursive: true });
    await truncate(join(copy, ".sealwork/agent/state.ndjson"), cut);
    const script = (index: number): Reply => SCRIPT[Math.min(index, 4)] ?? {};
    const model = new ScriptedModel((request, index) =>
      request.toolChoice?.type === "tool" ? plan : index < 2 ? count("more") : script(3 + index),
    );
    await using agent = await agentWith(model, { home: copy, start: { resume: true } });
    const end = await agent.conversation.turn("Count to three");
    assert.equal(end.outcome, "complete", `cut at ${cut}: ${end.reason?.message}`);
  }
});
