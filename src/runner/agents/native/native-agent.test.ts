import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { z } from "zod";
import { StopCause } from "../../process/tool-processes.ts";
import type { AgentTool } from "../../tools/tool.ts";
import { done, nativeTurns, plan, shell } from "./native-turns.fake.ts";
import { type Reply, ScriptedModel } from "./scripted-model.fake.ts";

const { agentWith, turn } = nativeTurns();

test("a task becomes a plan, steps, checks and a summary", async () => {
  const check = { title: "a.txt says hello", command: "grep -q hello a.txt" };
  const { end, model, agent } = await turn([
    plan([check]),
    { text: "I write it.", calls: [{ name: "write_file", input: { path: "a.txt", content: "hello\n" } }] },
    { calls: [{ name: "update_plan", input: { steps: [{ title: "do it", state: "done" }] } }] },
    done,
    { text: "a.txt says hello." },
  ]);
  assert.deepEqual(agent.told(), [
    "plan.made pending",
    "message.said agent: I write it.",
    "step.started a.txt",
    "file.changed",
    "step.ended ok",
    "plan.made done",
    "message.said agent: Done.",
    "step.started Check: a.txt says hello",
    "step.ended ok",
  ]);
  assert.deepEqual(end, { outcome: "complete", reason: null, exit_code: 0, summary: "a.txt says hello." });
  assert.deepEqual(agent.events[0]?.data, {
    steps: [{ title: "do it", state: "pending" }],
    files: ["a.txt"],
    checks: [check],
  });
  assert.match(await readFile(join(agent.workspace, ".sealwork/plan.md"), "utf8"), /- \[x\] do it/);
  const [analysis, work] = model.requests;
  assert.deepEqual(
    analysis?.tools?.map(({ name }) => name),
    ["update_plan"],
  );
  assert.deepEqual(analysis?.toolChoice, { type: "tool", toolName: "update_plan" });
  assert.deepEqual(work?.tools?.map(({ name }) => name).sort(), [
    "note",
    "shell",
    "update_plan",
    "write_file",
  ]);
  assert.deepEqual(model.requests.at(-1)?.toolChoice, { type: "none" });
});

test("a check that fails goes back to the model, which mends the work", async () => {
  const { end, model, agent } = await turn([
    plan([{ title: "it is there", command: "echo looking for it; test -e a.txt" }]),
    shell("true"),
    done,
    shell("touch a.txt"),
    done,
    { text: "It is there." },
  ]);
  assert.deepEqual([end.outcome, end.summary], ["complete", "It is there."]);
  assert.match(model.lastWords(3), /it is there.*test -e a\.txt.*Exit code 1\. looking for it/);
  assert.equal(agent.told().filter((one) => one === "step.started Check: it is there").length, 2);
});

test("a check that still fails at the end makes the job fail, and the reason names it", async () => {
  const { end, model } = await turn((_, index) =>
    index === 0 ? plan([{ title: "never true", command: "exit 7" }]) : index === 1 ? shell("true") : done,
  );
  assert.equal(end.outcome, "failed");
  assert.equal(end.reason?.code, "agent_failed");
  assert.match(end.reason?.message ?? "", /"never true" \(exit 7\): Exit code 7/);
  assert.equal(model.requests.length, 6);
});

test("the plan keeps its checks: one that fails cannot be dropped", async () => {
  const { end } = await turn((_, index) => {
    if (index === 0)
      return plan([
        { title: "a", command: "false" },
        { title: "b", command: "true" },
      ]);
    if (index === 1) return shell("true");
    return index === 3 ? plan([{ title: "b", command: "true" }]) : done;
  });
  assert.equal(end.reason?.code, "agent_failed");
});

test("a model that makes no plan works without one, and a mere answer is its own summary", async () => {
  const { end, agent } = await turn([
    { text: "No." },
    { text: "Still no." },
    { text: "" },
    { text: "Four." },
  ]);
  assert.deepEqual(agent.told(), ["plan.made active", "message.said agent: Four."]);
  assert.deepEqual([end.outcome, end.summary], ["complete", "Four."]);
});

test("calls of one answer run one after the other", async () => {
  const calls = [..."abc"].map((name) => ({
    name: "shell",
    input: { command: `echo ${name} >> order; cat order` },
  }));
  const { agent, model } = await turn([plan(), { calls }, done, { text: "Summary." }]);
  assert.equal(await readFile(join(agent.workspace, "order"), "utf8"), "a\nb\nc\n");
  const results = model.requests[2]?.prompt.at(-1);
  assert.ok(results?.role === "tool" && results.content.length === 3);
});

test("a file that the plan promises and that is not there is told to the model before it sums up", async () => {
  const { end, model } = await turn([plan([]), shell("echo 1"), done, { text: "There is no a.txt." }]);
  assert.equal(end.outcome, "complete");
  const asked = JSON.stringify(model.requests.at(-1)?.prompt.at(-1));
  assert.match(asked, /These files of your plan are not there; say so, and why: a\.txt/);
});

test("what a person says reaches the model at its next turn, and before the job ends", async () => {
  const model = new ScriptedModel([
    plan(),
    shell("echo 1"),
    shell("echo 2"),
    done,
    done,
    { text: "Summary." },
  ]);
  await using agent = await agentWith(model, {
    async onEvent(body) {
      if (body.type === "step.started" && body.data.step === 1)
        await agent.inbox.put({ id: "1", text: "Use blue." });
      if (body.type === "message.said" && model.requests.length === 4)
        await agent.inbox.put({ id: "2", text: "And bold." });
    },
  });
  const end = await agent.conversation.turn("Go");
  assert.equal(end.summary, "Summary.");
  assert.match(model.lastWords(2), /Use blue\./);
  assert.match(model.lastWords(4), /And bold\./);
});

test("a follow-up goes on with the same conversation", async () => {
  const model = new ScriptedModel([
    plan(),
    shell("echo 1"),
    done,
    { text: "Summary." },
    { text: "It was 1." },
  ]);
  await using agent = await agentWith(model);
  await agent.conversation.turn("Say 1");
  const end = await agent.conversation.turn("What was it?");
  assert.deepEqual([end.outcome, end.summary], ["complete", "It was 1."]);
  assert.match(JSON.stringify(model.requests[4]?.prompt), /Say 1.*echo 1.*Summary\..*What was it\?/);
});

test("with the policy `always` a person is asked before what changes something, and a no is a result", async () => {
  const { end, model, agent } = await turn(
    [plan([{ title: "c", command: "true" }]), shell("rm a"), shell("touch b"), done, { text: "Summary." }],
    { start: { approval: "always" }, answer: ({ detail }) => (detail === "rm a" ? "deny" : "allow") },
  );
  assert.equal(end.outcome, "complete");
  assert.deepEqual(
    agent.questions.map(({ key, kind, title }) => [key, kind, title]),
    [
      ["call-1", "step", "shell: rm a"],
      ["call-2", "step", "shell: touch b"],
      ["call-3", "step", "shell: Check: c"],
    ],
  );
  assert.match(model.lastWords(2), /said no/);
  assert.ok(!agent.told().includes("step.started rm a"));
});

test("stopping ends the running step and the agent", async () => {
  for (const [cause, outcome, code] of [
    ["cancelled", "stopped", undefined],
    ["disk_full", "failed", "disk_full"],
  ] as const) {
    const stopping = new AbortController();
    const { end, agent } = await turn([plan(), shell("sleep 600")], {
      stopping,
      onEvent: ({ type }) => (type === "step.started" ? stopping.abort(new StopCause(cause)) : undefined),
    });
    assert.deepEqual([end.outcome, end.reason?.code], [outcome, code]);
    assert.equal(end.summary, "The job was stopped after 1 step.");
    assert.equal(agent.told().at(-1), "step.ended failed");
  }
});

const picture = (mime: string, size: number): AgentTool<{ n: number }> => ({
  name: "look",
  description: "Looks.",
  input: z.object({ n: z.int() }),
  step: "other",
  changes: () => false,
  describe: ({ n }) => ({ title: `look ${n}`, code: "" }),
  async run({ n }) {
    const images = [{ mime, base64: Buffer.alloc(size, n).toString("base64") }];
    return {
      cause: "exited",
      exit_code: 0,
      signal: null,
      message: null,
      duration_ms: 0,
      for_model: `${n}`,
      images,
    };
  },
});

test("pictures reach a model that can see, the newest few of them, and are only told of to others", async () => {
  const looks = (_: unknown, index: number): Reply =>
    index === 0 ? plan() : index > 9 ? done : { calls: [{ name: "look", input: { n: index } }] };
  const shown = (model: ScriptedModel) =>
    model.requests.map(
      (request) => JSON.stringify(request.prompt).match(/"mediaType":"image\/png"/g)?.length ?? 0,
    );
  const { model: sees } = await turn(looks, { tools: [picture("image/png", 300)] });
  assert.deepEqual(shown(sees), [0, 0, 1, 2, 3, 4, 5, 6, 3, 4, 5]);
  assert.match(JSON.stringify(sees.requests.at(-1)?.prompt), /a picture that you have seen/);
  const { model: large } = await turn(looks, { tools: [picture("image/png", 4_000_000)] });
  assert.deepEqual(new Set(shown(large)), new Set([0]));
  assert.match(large.lastWords(2), /1 of its pictures cannot be shown/);
});

test("with the real tools: a file is written, run and corrected", async () => {
  const write = (content: string): Reply => ({
    calls: [{ name: "write_file", input: { path: "a.sh", content } }],
  });
  const model = new ScriptedModel([
    plan([{ title: "it says hello", command: 'test "$(bash a.sh)" = hello' }]),
    write("echo hallo"),
    shell("export NAME=kept; bash a.sh"),
    { calls: [{ name: "edit_file", input: { path: "a.sh", old_text: "hallo", new_text: "hello" } }] },
    shell("echo $NAME; bash a.sh"),
    done,
    { text: "Summary." },
  ]);
  await using agent = await agentWith(model, { tools: "real" });
  const end = await agent.conversation.turn("Write a.sh");
  assert.deepEqual([end.outcome, end.summary], ["complete", "Summary."], model.lastWords(-1));
  assert.match(model.lastWords(3), /exit code 0.*hallo/);
  assert.match(model.lastWords(5), /kept\\nhello/);
});

test("work that is done and proven is complete without a summary too", async () => {
  const { end } = await turn((_, index) =>
    index === 0
      ? plan()
      : index === 1
        ? shell("true")
        : index === 2
          ? done
          : { error: new TypeError("fetch failed") },
  );
  assert.deepEqual([end.outcome, end.summary], ["complete", "Done."]);
});
