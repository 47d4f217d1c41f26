import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { createAnthropic } from "@ai-sdk/anthropic";
import { createGoogleGenerativeAI } from "@ai-sdk/google";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { generateText, type LanguageModel, streamText } from "ai";
import { DUMMY_KEY, type Protocol } from "../../contract/models.ts";
import { OutLink } from "../../runner/link/out.ts";
import { serveOutPorts } from "../../runner/link/out-ports.ts";
import { openEnds, SANDBOX } from "../link-fixture.ts";
import { BrokerWorld, KEY, type Provide, sse } from "./broker-fixture.ts";

const ANSWERS: Record<Protocol, { whole: unknown; stream: string }> = {
  google: {
    whole: {
      candidates: [{ content: { role: "model", parts: [{ text: "Hello there." }] }, finishReason: "STOP" }],
      usageMetadata: { promptTokenCount: 5, candidatesTokenCount: 3, totalTokenCount: 8 },
    },
    stream: sse(
      { candidates: [{ content: { role: "model", parts: [{ text: "Hello " }] } }] },
      {
        candidates: [{ content: { role: "model", parts: [{ text: "there." }] }, finishReason: "STOP" }],
        usageMetadata: { promptTokenCount: 5, candidatesTokenCount: 3, totalTokenCount: 8 },
      },
    ),
  },
  openai: {
    whole: {
      id: "c-1",
      created: 1,
      model: "m",
      choices: [{ index: 0, message: { role: "assistant", content: "Hello there." }, finish_reason: "stop" }],
      usage: { prompt_tokens: 5, completion_tokens: 3, total_tokens: 8 },
    },
    stream: sse(
      {
        id: "c-1",
        created: 1,
        model: "m",
        choices: [{ index: 0, delta: { role: "assistant", content: "Hello " } }],
      },
      {
        id: "c-1",
        created: 1,
        model: "m",
        choices: [{ index: 0, delta: { content: "there." }, finish_reason: "stop" }],
      },
      {
        id: "c-1",
        created: 1,
        model: "m",
        choices: [],
        usage: { prompt_tokens: 5, completion_tokens: 3, total_tokens: 8 },
      },
      "[DONE]",
    ),
  },
  anthropic: {
    whole: {
      id: "msg_1",
      type: "message",
      role: "assistant",
      model: "m",
      content: [{ type: "text", text: "Hello there." }],
      stop_reason: "end_turn",
      stop_sequence: null,
      usage: { input_tokens: 5, output_tokens: 3 },
    },
    stream: sse(
      {
        type: "message_start",
        message: {
          id: "msg_1",
          type: "message",
          role: "assistant",
          model: "m",
          content: [],
          stop_reason: null,
          stop_sequence: null,
          usage: { input_tokens: 5, output_tokens: 1 },
        },
      },
      { type: "content_block_start", index: 0, content_block: { type: "text", text: "" } },
      { type: "content_block_delta", index: 0, delta: { type: "text_delta", text: "Hello there." } },
      { type: "content_block_stop", index: 0 },
      {
        type: "message_delta",
        delta: { stop_reason: "end_turn", stop_sequence: null },
        usage: { output_tokens: 3 },
      },
      { type: "message_stop" },
    ),
  },
};

function model(protocol: Protocol, port: number): LanguageModel {
  const base = `http://127.0.0.1:${port}/${protocol}`;
  switch (protocol) {
    case "google":
      return createGoogleGenerativeAI({ baseURL: `${base}/v1beta`, apiKey: DUMMY_KEY })("gemini-2.5-flash");
    case "openai":
      return createOpenAICompatible({ name: "openai", baseURL: base, apiKey: DUMMY_KEY, includeUsage: true })(
        "m",
      );
    case "anthropic":
      return createAnthropic({ baseURL: `${base}/v1`, apiKey: DUMMY_KEY })("claude-sonnet-5");
  }
}

const answering: Provide = (response, seen) => {
  const protocol: Protocol = seen.url.includes("/chat/")
    ? "openai"
    : seen.url.includes("/messages")
      ? "anthropic"
      : "google";
  const streams = seen.url.includes("alt=sse") || /"stream":true/.test(seen.body);
  response.writeHead(200, { "content-type": streams ? "text/event-stream" : "application/json" });
  response.end(streams ? ANSWERS[protocol].stream : JSON.stringify(ANSWERS[protocol].whole));
};

for (const protocol of ["google", "openai", "anthropic"] as const) {
  test(`an SDK for ${protocol} works unchanged through port, link and broker, with a base URL and a dummy key`, async () => {
    await using world = await BrokerWorld.open(answering);
    await using ends = await openEnds({}, { out: { models: world.models }, outbound: world.outbound });
    await using out = new OutLink({ folder: join(ends.folder, SANDBOX) });
    await using served = await serveOutPorts({
      out,
      models: true,
      egress: false,
      ports: { models: 0, egress: 0 },
    });
    const llm = model(protocol, served.ports.models ?? 0);
    const whole = await generateText({ model: llm, prompt: "Hello", maxRetries: 0 });
    assert.equal(whole.text, "Hello there.");
    const stream = streamText({ model: llm, prompt: "Hello", maxRetries: 0 });
    assert.equal(await stream.text, "Hello there.");
    assert.equal((await stream.usage).outputTokens, 3);
    for (const { headers } of world.seen) {
      assert.match(JSON.stringify(headers), new RegExp(RegExp.escape(KEY)));
      assert.ok(!JSON.stringify(headers).includes(`"${DUMMY_KEY}"`));
    }
    for (const n of [1, 2]) {
      const call = await world.settledCall(n);
      assert.deepEqual([call.outcome, call.input_tokens, call.output_tokens], ["ok", 5, 3]);
    }
    world.left = 0;
    await assert.rejects(generateText({ model: llm, prompt: "Hello", maxRetries: 5 }), /budget/);
    assert.equal(world.seen.length, 2);
  });
}
