import assert from "node:assert/strict";
import { once } from "node:events";
import { cp, mkdtemp } from "node:fs/promises";
import { createServer } from "node:http";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { z } from "zod";
import { ModelServer } from "../../../../e2e/models/server.ts";
import { AppError } from "../../../contract/errors.ts";
import { DUMMY_KEY, type ModelAccess, type Protocol } from "../../../contract/models.ts";
import { answerError } from "../../../gateway/broker/provider-error.ts";
import { compileReaper } from "../../process/compiled-reaper.fake.ts";
import type { AgentTool } from "../../tools/tool.ts";
import { loadModel } from "./model/load-model.ts";
import { type Given, nativeAgent } from "./native-agent-fixture.ts";

let reaper: Awaited<ReturnType<typeof compileReaper>>;
before(async () => {
  reaper = await compileReaper();
});
after(() => reaper[Symbol.asyncDispose]());

type Script = Parameters<ModelServer["play"]>[0];

async function agentAt(
  protocol: Protocol,
  url: string,
  given: Pick<Given, "home" | "onEvent" | "tools"> = {},
) {
  const model: ModelAccess = {
    provider: "p",
    protocol,
    model: "gemini-3-scripted",
    context_tokens: 100_000,
    max_output_tokens: 4_000,
  };
  return nativeAgent({
    folder: reaper.folder,
    reaper_path: reaper.path,
    model: { model: await loadModel(model, url) },
    start: { model, resume: given.home !== undefined },
    ...given,
  });
}

async function endOf(protocol: Protocol, url: string) {
  await using agent = await agentAt(protocol, url);
  return await agent.conversation.turn("Add one and one.");
}

async function turn(protocol: Protocol, script: Script) {
  await using models = await ModelServer.start({ key: DUMMY_KEY });
  const play = models.play(script);
  await using agent = await agentAt(protocol, protocol === "openai" ? models.openai_url : models.url);
  const end = await agent.conversation.turn("Add one and one.");
  return { end, play, agent, paths: new Set(models.recorded.map(({ path }) => path)) };
}

const PATHS: Record<Protocol, string> = {
  google: "/v1beta/models/gemini-3-scripted:streamGenerateContent",
  openai: "/v1/chat/completions",
  anthropic: "/v1/messages",
};
const plan = { steps: [{ title: "add" }], checks: [{ title: "it adds", command: "test $((1+1)) = 2" }] };
const WHOLE: Script = {
  turns: [
    {
      when: { tools: ["update_plan"], system: "Sealwork", user: "Add one" },
      answer: { thought: "A plan.", calls: [{ name: "update_plan", args: plan }] },
    },
    { when: { result: "The plan is set" }, answer: { text: "I add", cut_after_bytes: 40 } },
    {
      when: { result: "The plan is set", tools: ["shell", "note"] },
      answer: {
        thought: "Both at once.",
        text: "I add.",
        calls: [
          { name: "shell", args: { command: "echo $((1+1))" } },
          { name: "shell", args: { command: "exit 3" } },
        ],
      },
    },
    {
      when: { result: "exit code 3", anywhere: { pattern: "exit code 0\\s+2" } },
      answer: { thought: "So.", text: "It is 2." },
    },
    { when: { user: "it adds: passed" }, answer: { text: "One and one are 2." } },
  ],
};

for (const protocol of ["google", "openai", "anthropic"] as const)
  test(`${protocol}: a whole task, with a stream that breaks off, against a provider as strict as the real one`, async () => {
    const { end, play, agent, paths } = await turn(protocol, WHOLE);
    play.assertFinished();
    assert.deepEqual([...paths], [PATHS[protocol]]);
    assert.deepEqual(end, { outcome: "complete", reason: null, exit_code: 0, summary: "One and one are 2." });
    assert.deepEqual(agent.waits, [1000]);
    assert.deepEqual(agent.told(), [
      "plan.made pending",
      "message.said agent: I add.",
      "step.started echo $((1+1))",
      "step.output",
      "step.ended ok",
      "step.started exit 3",
      "step.ended failed",
      "message.said agent: It is 2.",
      "step.started Check: it adds",
      "step.ended ok",
    ]);
  });

for (const protocol of ["google", "openai", "anthropic"] as const)
  test(`${protocol}: calls that are no calls and refusals of all kinds come to a clear end`, async () => {
    const made = { answer: { calls: [{ name: "update_plan", args: { steps: [{ title: "add" }] } }] } };
    const malformed = await turn(protocol, {
      turns: [made, { answer: { finish: "malformed_call" } }, { answer: { text: "2" } }],
    });
    assert.equal(malformed.end.summary, "2", JSON.stringify(malformed.end));
    for (const finish of ["safety", "blocked_prompt"] as const) {
      const { end } = await turn(protocol, { turns: [made, { answer: { finish } }] });
      assert.match(end.reason?.message ?? "", /refused/, finish);
      assert.equal(end.reason?.code, "agent_failed");
    }
    const { end } = await turn(protocol, (request) =>
      request.messages.length < 3
        ? made.answer
        : { error: { status: 400, message: "There is no such model." } },
    );
    assert.match(end.reason?.message ?? "", /refused the request: 400 .*no such model/);
  });

for (const protocol of ["google", "openai", "anthropic"] as const)
  test(`${protocol}: the broker's refusal for the budget ends the job with that reason`, async () => {
    const refusal = new AppError({ code: "budget_exhausted", message: "The budget allows 3 calls." });
    const server = createServer((_, response) => answerError(response, protocol, refusal));
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const address = server.address();
    assert.ok(typeof address === "object" && address !== null);
    const end = await endOf(protocol, `http://127.0.0.1:${address.port}`).finally(() => {
      server.close();
      server.closeAllConnections();
    });
    assert.deepEqual([end.outcome, end.reason?.code], ["failed", "budget_exhausted"]);
  });

for (const protocol of ["google", "openai", "anthropic"] as const)
  test(`${protocol}: another sandbox goes on with a conversation that the provider takes`, async () => {
    await using models = await ModelServer.start({ key: DUMMY_KEY });
    const url = protocol === "openai" ? models.openai_url : models.url;
    const home = join(await mkdtemp(join(reaper.folder, "killed-")), "home");
    const call = { name: "shell", args: { command: "echo one" } };
    const first = { thought: "A plan.", calls: [{ name: "update_plan", args: plan }] };
    const both = { thought: "Two.", calls: [call, call] };
    models.play({
      turns: [
        { answer: first },
        { answer: both },
        { answer: { text: "Done." } },
        { answer: { text: "Old." } },
      ],
    });
    await using dying = await agentAt(protocol, url, {
      async onEvent(body) {
        if (body.type === "step.started" && body.data.step === 1)
          await cp(dying.home, home, { recursive: true });
      },
    });
    await dying.conversation.turn("Add one and one.");
    const play = models.play({
      turns: [
        {
          when: { anywhere: "How far it came is not known" },
          answer: { calls: [call] },
        },
        { answer: { text: "Done." } },
        { answer: { text: "New." } },
      ],
    });
    await using next = await agentAt(protocol, url, { home });
    assert.equal((await next.conversation.turn("Add one and one.")).summary, "New.", play.failures.join());
  });

test("a wrong key, a wrong name and an address with a web page are not asked again, and the hint says what to mend", async () => {
  for (const [status, hint] of [
    [401, /API key/],
    [403, /API key/],
    [404, /name.*base URL/],
    [200, /base URL/],
  ] as const) {
    let asked = 0;
    const server = createServer((_, response) => {
      asked += 1;
      response.writeHead(status, { "content-type": "text/html" }).end("<html>It works!</html>");
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const address = server.address();
    assert.ok(typeof address === "object" && address !== null);
    const end = await endOf("openai", `http://127.0.0.1:${address.port}`).finally(() => {
      server.close();
      server.closeAllConnections();
    });
    assert.deepEqual([end.outcome, end.reason?.code, asked], ["failed", "agent_failed", 1], `${status}`);
    assert.match(end.reason?.hint ?? "", hint);
  }
});

const PNG =
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
const look: AgentTool<Record<string, never>> = {
  name: "look",
  description: "Looks at the screen.",
  input: z.object({}),
  step: "desktop",
  changes: () => false,
  describe: () => ({ title: "look", code: "" }),
  async run() {
    const images = [{ mime: "image/png", base64: PNG }];
    return {
      cause: "exited",
      exit_code: 0,
      signal: null,
      message: null,
      duration_ms: 0,
      for_model: "Seen.",
      images,
    };
  },
};

for (const protocol of ["google", "openai", "anthropic"] as const)
  test(`${protocol}: a picture of a result is sent, also after another sandbox took over`, async () => {
    await using models = await ModelServer.start({ key: DUMMY_KEY });
    const url = protocol === "openai" ? models.openai_url : models.url;
    const made = { calls: [{ name: "update_plan", args: { steps: [{ title: "look" }] } }] };
    models.play({
      turns: [made, { calls: [{ name: "look" }] }, { text: "A dot." }].map((answer) => ({ answer })),
    });
    await using agent = await agentAt(protocol, url, { tools: [look] });
    assert.equal((await agent.conversation.turn("What do you see?")).summary, "A dot.");
    assert.ok(models.recorded.at(-1)?.body.includes(PNG));
    models.play({ turns: [{ answer: { text: "Still a dot." } }] });
    await using next = await agentAt(protocol, url, { tools: [look], home: agent.home });
    await next.conversation.turn("");
    assert.equal((await next.conversation.turn("And now?")).summary, "Still a dot.");
    assert.ok(models.recorded.at(-1)?.body.includes(PNG));
  });

test("openai: a server that refuses pictures is asked without them, and the model is told that there was one", async () => {
  await using models = await ModelServer.start({ key: DUMMY_KEY });
  let refused = 0;
  models.play((request) => {
    const said = request.messages.map(({ text }) => text).join();
    if (request.messages.length < 3)
      return { calls: [{ name: "update_plan", args: { steps: [{ title: "look" }] } }] };
    if (said.includes("pictures of the results")) {
      refused += 1;
      return { error: { status: 400, message: "This model does not take images." } };
    }
    const results = request.messages.flatMap((message) => message.results.map(({ content }) => content));
    const told = results.filter((content) => content.includes("cannot be shown to you"));
    return told.length < 2 ? { calls: [{ name: "look" }] } : { text: "I am blind." };
  });
  await using agent = await agentAt("openai", models.openai_url, { tools: [look] });
  assert.equal((await agent.conversation.turn("What do you see?")).summary, "I am blind.");
  assert.equal(refused, 1);
});
