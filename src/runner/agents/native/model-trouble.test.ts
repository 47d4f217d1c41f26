import assert from "node:assert/strict";
import { test } from "node:test";
import { StopCause } from "../../process/tool-processes.ts";
import { done, nativeTurns, plan, shell } from "./native-turns.fake.ts";
import { ScriptedModel } from "./scripted-model.fake.ts";

const { agentWith, turn } = nativeTurns();

test("a call that is no JSON, one of no tool and one that breaks its schema are answered, and corrected", async () => {
  const { end, model, agent } = await turn([
    plan(),
    { calls: [{ name: "shell", input: '{"command": "ec' }] },
    { calls: [{ name: "bash", input: { command: "echo" } }] },
    { calls: [{ name: "shell", input: { cmd: "echo" } }] },
    shell("echo right"),
    done,
    { text: "Summary." },
  ]);
  assert.equal(end.outcome, "complete");
  assert.match(model.lastWords(2), /not valid JSON/);
  assert.match(
    model.lastWords(3),
    /There is no tool bash\. Your tools are: update_plan, note, shell, write_file/,
  );
  assert.match(model.lastWords(4), /does not fit the tool.*command/);
  assert.equal(agent.told().filter((one) => one.startsWith("step.started")).length, 1);
});

test("calls that cannot be carried out, again and again, end the job", async () => {
  const { end } = await turn((_, index) =>
    index === 0 ? plan() : { calls: [{ name: "nothing", input: {} }] },
  );
  assert.equal(end.reason?.code, "agent_failed");
  assert.match(end.reason?.message ?? "", /5 calls in a row that cannot be carried out/);
});

test("the same failing call over and over is told to the model once, then ends the job", async () => {
  const { end, model } = await turn((_, index) => (index === 0 ? plan() : shell("exit 3")));
  assert.match(end.reason?.message ?? "", /same call of shell failed 5 times in a row/);
  assert.equal(model.requests.length, 6);
  assert.doesNotMatch(model.lastWords(3), /Do not repeat it/);
  assert.match(model.lastWords(4), /Do not repeat it/);
});

test("an endless loop of calls that succeed ends the job", async () => {
  const { end, model } = await turn((_, index) =>
    index === 0 ? plan() : shell(index % 2 === 0 ? "echo a" : "echo b"),
  );
  assert.match(end.reason?.message ?? "", /went in circles/);
  assert.ok(model.requests.length < 45, `${model.requests.length}`);
});

test("an empty answer is asked for again, and three of them end the job with that reason", async () => {
  const { end } = await turn([plan(), { text: "" }, done]);
  assert.deepEqual([end.outcome, end.summary], ["complete", "Done."]);
  const { end: failed } = await turn([plan(), { text: "" }, { text: "" }, { text: "" }]);
  assert.equal(failed.reason?.code, "agent_failed");
  assert.match(failed.reason?.message ?? "", /3 empty answers/);
});

test("a refusal ends the job and is quoted", async () => {
  for (const before of [[], [plan()]]) {
    const { end } = await turn([
      ...before,
      { finish: "content-filter", raw_finish: "SAFETY", text: "Cannot." },
    ]);
    assert.equal(end.reason?.code, "agent_failed");
    assert.match(end.reason?.message ?? "", /refused to answer \(SAFETY\)\. It said: Cannot\./);
  }
});

test("an answer that was cut for its length is gone on with", async () => {
  const { end, model } = await turn([plan(), { text: "It is lo", finish: "length" }, { text: "ng." }]);
  assert.equal(end.summary, "ng.");
  assert.match(model.lastWords(2), /Your answer was cut/);
});

test("a stream that breaks off is asked for again, and says nothing twice", async () => {
  const { end, model, agent } = await turn([
    plan(),
    { text: "Half an ans", broken: true },
    { finish: "interrupted" },
    { error: new TypeError("fetch failed") },
    { text: "A whole answer." },
  ]);
  assert.equal(end.summary, "A whole answer.");
  assert.equal(model.requests.length, 5);
  assert.deepEqual(agent.waits, [1000, 2000, 4000]);
  assert.deepEqual(agent.told().slice(1), ["message.said agent: A whole answer."]);
});

test("a model that is never there ends the job after a bounded number of tries", async () => {
  const { end, model } = await turn(() => ({ error: new TypeError("fetch failed") }));
  assert.match(end.reason?.message ?? "", /could not be reached.*fetch failed/);
  assert.equal(model.requests.length, 8);
});

test("a provider that has never answered is given up soon; one that has answered is waited for", async () => {
  const { APICallError } = await import("ai");
  const away = { url: "", requestBodyValues: {}, message: "The provider does not answer.", statusCode: 502 };
  const never = await turn(() => ({ error: new APICallError(away) }));
  assert.match(never.end.reason?.message ?? "", /could not be reached.*does not answer/);
  assert.equal(never.model.requests.length, 2);
  const later = await turn((_request, index) => (index === 0 ? plan() : { error: new APICallError(away) }));
  assert.equal(later.end.outcome, "failed");
  assert.equal(later.model.requests.length, 9);
});

test("an agent that is stopped while the model thinks ends at once", async () => {
  const stopping = new AbortController();
  const model = new ScriptedModel(() => {
    stopping.abort(new StopCause("cancelled"));
    return done;
  });
  await using agent = await agentWith(model, { stopping });
  assert.equal((await agent.conversation.turn("Go")).outcome, "stopped");
});

test("a plan that breaks the schema is corrected, and a server that knows no forced calls is asked without", async () => {
  const { APICallError } = await import("ai");
  const message = "tool_choice is not supported";
  const error = new APICallError({ message, url: "", requestBodyValues: {}, statusCode: 400 });
  const { end, model, agent } = await turn((request, index) => {
    if (request.toolChoice?.type === "tool") return { error };
    if (index === 1) return { calls: [{ name: "update_plan", input: { steps: "all" } }] };
    return index === 3 ? plan() : { text: "Four." };
  });
  assert.equal(end.summary, "Four.", JSON.stringify(end));
  assert.match(model.lastWords(2), /does not fit the tool.*steps/);
  assert.deepEqual(agent.told(), ["plan.made pending", "message.said agent: Four."]);
});

test("a model with a window that holds no more than the tools is refused with that reason", async () => {
  const model = {
    provider: "p",
    protocol: "google",
    model: "small",
    context_tokens: 4096,
    max_output_tokens: 4096,
  } as const;
  await assert.rejects(
    agentWith(new ScriptedModel([]), { start: { model } }),
    /window of small is said to be 4096/,
  );
  await assert.rejects(agentWith(new ScriptedModel([]), { start: { model: null } }), /needs a model/);
});
