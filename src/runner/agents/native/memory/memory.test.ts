import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, test } from "node:test";
import { z } from "zod";
import { compileReaper } from "../../../process/compiled-reaper.fake.ts";
import type { AgentTool } from "../../../tools/tool.ts";
import { type Given, nativeAgent } from "../native-agent-fixture.ts";
import { type Reply, ScriptedModel, type SentRequest, tokensIn } from "../scripted-model.fake.ts";

let reaper: Awaited<ReturnType<typeof compileReaper>>;
before(async () => {
  reaper = await compileReaper();
});
after(() => reaper[Symbol.asyncDispose]());

const WINDOW = { context_tokens: 12_000, max_output_tokens: 2_000 };
const MODEL = { provider: "p", protocol: "google", model: "scripted", ...WINDOW } as const;
const PLAN = { name: "update_plan", input: { steps: [{ title: "look at all parts" }] } };
const FACT = "the door opens with the code 4711-blue";

/** Reading part 1 gives the fact; every part has a lot to say beside. */
const readPart: AgentTool<{ part: number; length?: number | undefined }> = {
  name: "read_part",
  description: "Reads a part.",
  input: z.object({ part: z.int(), length: z.int().optional() }),
  step: "other",
  changes: () => false,
  describe: ({ part }) => ({ title: `part ${part}`, code: "" }),
  async run({ part, length = 1500 }) {
    const for_model = `part ${part}: ${part === 1 ? FACT : "nothing"}\n${"lorem ipsum ".repeat(length / 12)}\nend of part ${part}`;
    return { cause: "exited", exit_code: 0, signal: null, message: null, duration_ms: 0, for_model };
  },
};

const agentWith = (model: ScriptedModel, given: Partial<Given> = {}) =>
  nativeAgent({
    folder: reaper.folder,
    reaper_path: reaper.path,
    model,
    tools: [readPart],
    start: { model: MODEL },
    ...given,
  });

const wordsOf = ({ prompt }: SentRequest) => JSON.stringify(prompt.filter(({ role }) => role !== "system"));
const isSummary = ({ tools }: SentRequest) => tools === undefined || tools.length === 0;
/** A summary that keeps the one thing that matters, as far as it is in what is summarised. */
const summaryOf = (request: SentRequest): Reply => ({
  text: `Read some parts. ${wordsOf(request).includes(FACT) ? `Fact: ${FACT}.` : ""}`,
});

/** Every call has its result beside it, and no request is larger than the window leaves room for. */
function assertSound(requests: readonly SentRequest[]): void {
  for (const [index, request] of requests.entries()) {
    const size = tokensIn(request) + (request.maxOutputTokens ?? Number.POSITIVE_INFINITY);
    assert.ok(size <= WINDOW.context_tokens, `request ${index} takes ${size}`);
    let open: string[] = [];
    for (const { role, content } of request.prompt) {
      if (role === "tool") {
        const answered = content.flatMap((part) => (part.type === "tool-result" ? [part.toolCallId] : []));
        assert.deepEqual(answered, open);
        open = [];
      } else {
        assert.deepEqual(open, [], `request ${index} has a call without a result`);
        if (role === "assistant")
          open = content.flatMap((part) => (part.type === "tool-call" ? [part.toolCallId] : []));
      }
    }
  }
}

test("through hundreds of steps and many compactions an early fact survives, and every request fits the window", async () => {
  const STEPS = 400;
  let part = 0;
  const model = new ScriptedModel((request, index) => {
    if (isSummary(request)) return summaryOf(request);
    if (index === 0) return { calls: [PLAN] };
    if (part === STEPS) return { text: "All read." };
    part += 1;
    return { calls: [{ name: "read_part", input: { part } }] };
  });
  await using agent = await agentWith(model);
  const end = await agent.conversation.turn("Find out how the door opens, and say it in blue letters.");
  assert.equal(end.outcome, "complete", JSON.stringify(end));
  assertSound(model.requests);
  const last = model.requests.at(-1);
  assert.ok(last !== undefined && wordsOf(last).includes(FACT));
  assert.match(wordsOf(last), /say it in blue letters/);
  assert.match(wordsOf(last), /look at all parts/);
  assert.match(wordsOf(last), new RegExp(`part ${STEPS}: nothing`));
  assert.doesNotMatch(wordsOf(last), /part 100: nothing/);
  const compactions = agent.events.filter(({ type }) => type === "conversation.compacted");
  assert.ok(compactions.length > 20, `${compactions.length}`);
  for (const body of compactions)
    assert.ok(
      body.type === "conversation.compacted" &&
        body.data.tokens_after < body.data.tokens_before &&
        body.data.turns > 0,
    );
});

test("work that is never the same and never done is ended by its number of actions", async () => {
  const CALLS = 20;
  let answers = 0;
  const model = new ScriptedModel((request, index) => {
    if (isSummary(request)) return summaryOf(request);
    if (index === 0) return { calls: [PLAN] };
    answers += 1;
    const parts = Array.from({ length: CALLS }, (_, index) => answers * CALLS + index);
    return { calls: parts.map((part) => ({ name: "read_part", input: { part, length: 12 } })) };
  });
  await using agent = await agentWith(model);
  const end = await agent.conversation.turn("Read on and on.");
  assert.deepEqual([end.outcome, end.reason?.code], ["failed", "agent_failed"]);
  assert.match(end.reason?.message ?? "", /took \d+ actions in this turn/);
  assert.ok(answers < 2_000 / CALLS, `${answers}`);
});

test("a model that cannot summarise does not lose what its notes and the person said", async () => {
  let part = 0;
  const model = new ScriptedModel((request, index) => {
    if (isSummary(request)) return { text: "" };
    if (index === 0) return { calls: [PLAN] };
    if (index === 1) return { calls: [{ name: "note", input: { text: FACT } }] };
    part += 1;
    return part > 60 ? { text: "All read." } : { calls: [{ name: "read_part", input: { part: part + 1 } }] };
  });
  await using agent = await agentWith(model);
  assert.equal((await agent.conversation.turn("The word is zebra.")).outcome, "complete");
  assertSound(model.requests);
  const last = model.requests.at(-1);
  assert.ok(last !== undefined && wordsOf(last).includes(FACT));
  assert.match(wordsOf(last), /The word is zebra/);
  assert.match(wordsOf(last), /calls read_part/);
});

test("an output longer than its share is shortened, with the name of the file that has all of it", async () => {
  const model = new ScriptedModel([
    { calls: [PLAN] },
    { calls: [{ name: "read_part", input: { part: 1, length: 900_000 } }] },
    { text: "Read." },
  ]);
  await using agent = await agentWith(model);
  await agent.conversation.turn("Read part 1.");
  assertSound(model.requests);
  const sent = model.lastWords(2);
  assert.match(sent, new RegExp(FACT));
  assert.match(sent, /end of part 1/);
  const path = /all of it is in (\S+\.txt)/.exec(sent)?.[1] ?? "";
  assert.equal((await readFile(path, "utf8")).length > 900_000, true);
});

test("one exchange that alone is larger than the window, and a prompt that is, still fit", async () => {
  const calls = Array.from({ length: 30 }, (_, part) => ({
    name: "read_part",
    input: { part, length: 3000 },
  }));
  const model = new ScriptedModel((request, index) => {
    if (isSummary(request)) return summaryOf(request);
    if (index === 0) return { calls: [PLAN] };
    return wordsOf(request).includes("part 29") ? { text: "Read." } : { calls };
  });
  await using agent = await agentWith(model);
  const end = await agent.conversation.turn(`Read all parts. ${"Do it well. ".repeat(40_000)} And in green.`);
  assert.equal(end.outcome, "complete", JSON.stringify(end));
  assertSound(model.requests);
  assert.match(model.lastWords(0), /And in green/);
});

test("a provider that counts otherwise and refuses for the length is asked with less", async () => {
  const { APICallError } = await import("ai");
  const refusal = new APICallError({
    message: "The input token count exceeds the maximum number of tokens allowed",
    url: "",
    requestBodyValues: {},
    statusCode: 400,
    isRetryable: false,
  });
  let refused = 0;
  const model = new ScriptedModel((request, index) => {
    if (isSummary(request)) return summaryOf(request);
    if (index === 0) return { calls: [PLAN] };
    if (tokensIn(request) > 4_000) {
      refused += 1;
      return { error: refusal };
    }
    return index > 40 ? { text: "Read." } : { calls: [{ name: "read_part", input: { part: index } }] };
  });
  await using agent = await agentWith(model);
  const end = await agent.conversation.turn("Read.");
  assert.equal(end.outcome, "complete", JSON.stringify(end));
  assert.ok(refused > 0);
});

test("a long summary is handed on whole from one compaction to the next", async () => {
  const wide = { ...MODEL, context_tokens: 80_000, max_output_tokens: 8_000 };
  const padding = "Nothing of interest was found here. ".repeat(150);
  let part = 0;
  const model = new ScriptedModel((request, index) => {
    if (isSummary(request)) {
      const found = wordsOf(request).includes(FACT) ? FACT : "";
      return { text: `${padding}${found} ${padding}` };
    }
    if (index === 0) return { calls: [PLAN] };
    part += 1;
    return part > 400 ? { text: "All read." } : { calls: [{ name: "read_part", input: { part } }] };
  });
  await using agent = await agentWith(model, { start: { model: wide } });
  await agent.conversation.turn("Read.");
  const compactions = agent.events.filter(({ type }) => type === "conversation.compacted");
  assert.ok(compactions.length > 2, `${compactions.length}`);
  const last = model.requests.at(-1);
  assert.ok(last !== undefined && wordsOf(last).includes(FACT));
});
