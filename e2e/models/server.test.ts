import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { Scenario, type ScenarioInput } from "./scenario.ts";
import { ModelServer } from "./server.ts";

type Json = Record<string, unknown>;
const KEY = "the-key";
const JSON_HEADERS = { "content-type": "application/json" };

async function serving(script: ScenarioInput) {
  const server = await ModelServer.start({ key: KEY });
  const play = server.play(script);
  const post = (path: string, body: Json, headers: Record<string, string>) =>
    fetch(server.url + path, {
      method: "POST",
      headers: { ...JSON_HEADERS, ...headers },
      body: JSON.stringify(body),
    });
  return {
    server,
    play,
    google: (body: Json, action = "generateContent") =>
      post(`/v1beta/models/m:${action}`, body, { "x-goog-api-key": KEY }),
    openai: (body: Json) =>
      post("/v1/chat/completions", { model: "m", ...body }, { authorization: `Bearer ${KEY}` }),
    anthropic: (body: Json) =>
      post(
        "/v1/messages",
        { model: "m", max_tokens: 100, ...body },
        { "x-api-key": KEY, "anthropic-version": "2023-06-01" },
      ),
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

const says = (text: string) => ({ role: "user", parts: [{ text }] });
const hello = { contents: [says("hello")] };
const chat = { messages: [{ role: "user", content: "hello" }] };

const body = async (answer: Response) => JSON.parse(await answer.text());
const sse = async (answer: Response) =>
  (await answer.text())
    .split(/\r?\n\r?\n/)
    .flatMap((event) => /^data: (.*)$/m.exec(event)?.[1] ?? [])
    .filter((data) => data !== "[DONE]")
    .map((data) => JSON.parse(data));

test("Google: text, usage and the finish reason come whole and in pieces", async () => {
  const usage = { input: 10, output: 5, cached: 4, thoughts: 7 };
  await using at = await serving({
    turns: [
      { answer: { text: "Hello, you there!", thought: "A greeting.", usage, piece_chars: 6 }, times: 2 },
    ],
  });
  const whole = await body(await at.google(hello));
  assert.deepEqual(whole.candidates[0].content, {
    role: "model",
    parts: [{ text: "A greeting.", thought: true }, { text: "Hello, you there!" }],
  });
  assert.equal(whole.candidates[0].finishReason, "STOP");
  const {
    promptTokenCount,
    candidatesTokenCount,
    thoughtsTokenCount,
    cachedContentTokenCount,
    totalTokenCount,
  } = whole.usageMetadata;
  assert.deepEqual(
    [promptTokenCount, candidatesTokenCount, thoughtsTokenCount, cachedContentTokenCount, totalTokenCount],
    [10, 5, 7, 4, 22],
  );
  const answer = await at.google(hello, "streamGenerateContent?alt=sse");
  assert.equal(answer.headers.get("content-type"), "text/event-stream");
  const chunks = await sse(answer);
  assert.equal(
    chunks.map((one) => one.candidates[0].content.parts[0].text).join("|"),
    "A greeting.|Hello,| you t|here!",
  );
  assert.deepEqual(
    chunks.map((one) => one.candidates[0].finishReason),
    [undefined, undefined, undefined, "STOP"],
  );
  assert.equal(chunks.at(-1).usageMetadata.totalTokenCount, 22);
  at.play.assertFinished();
});

test("Google: a call's signature must come back as it was, with one result of the same name for each call", async () => {
  const calls = [
    { name: "shell", args: { command: "ls" } },
    { name: "python", args: { code: "1" } },
  ];
  await using at = await serving({
    turns: [{ answer: { calls } }, { when: { result: "a.txt", last: "result" }, answer: { text: "done" } }],
  });
  const { content } = (await body(await at.google(hello))).candidates[0];
  const [first, second] = content.parts;
  assert.ok(first.thoughtSignature.length > 10);
  assert.equal(second.thoughtSignature, undefined);
  const results = [
    { functionResponse: { name: "shell", response: { output: "a.txt" } } },
    { functionResponse: { name: "python", response: { output: "1" } } },
  ];
  const ask = async (parts: unknown[], answers: unknown[]) =>
    at.google({ contents: [says("hello"), { role: "model", parts }, { role: "user", parts: answers }] });
  const refused = async (parts: unknown[], answers: unknown[], message: RegExp) => {
    const answer = await ask(parts, answers);
    assert.equal(answer.status, 400);
    const { error } = await body(answer);
    assert.equal(error.status, "INVALID_ARGUMENT");
    assert.match(error.message, message);
  };
  const { thoughtSignature: _, ...unsigned } = first;
  await refused([unsigned, second], results, /missing a thought_signature/);
  await refused([{ ...first, thoughtSignature: "AAAA" }, second], results, /Corrupted thought signature/);
  await refused([first, second], results.slice(1), /number of function response parts/);
  await refused([first, second], [results[0], results[0]], /number of function response parts/);
  await refused([first, second], [{ text: "no results" }], /number of function response parts/);
  const orphans = await at.google({ contents: [says("hello"), { role: "user", parts: results }] });
  assert.match((await body(orphans)).error.message, /function response turn comes immediately after/);
  assert.deepEqual(at.play.failures, [], "what the protocol refuses does not reach the scenario");
  const answer = await ask(content.parts, results);
  assert.equal((await body(answer)).candidates[0].content.parts[0].text, "done");
  at.play.assertFinished();
});

test("Google: unknown names, empty contents and a wrong key are refused in its form of an error", async () => {
  await using at = await serving({ turns: [{ answer: { text: "never" } }] });
  const message = async (request: Json) => (await body(await at.google(request))).error.message;
  assert.match(await message({ ...hello, temperature: 1 }), /Unknown name "temperature"/);
  assert.match(await message({ contents: [] }), /contents is not specified/);
  assert.match(await message({ contents: [{ role: "user", parts: [] }] }), /must not be empty/);
  assert.match(await message({ contents: [{ role: "assistant", parts: [{ text: "x" }] }] }), /role/);
  const wrong = await fetch(`${at.server.url}/v1beta/models/m:generateContent?key=other`, {
    method: "POST",
    body: JSON.stringify(hello),
  });
  assert.equal(wrong.status, 400);
  assert.equal((await body(wrong)).error.details[0].reason, "API_KEY_INVALID");
  const none = await fetch(`${at.server.url}/v1beta/models/m:generateContent`, {
    method: "POST",
    body: "{}",
  });
  assert.equal(none.status, 403);
  assert.throws(() => at.play.assertFinished(), /1 of 1 turns were never asked for/);
});

test("Google: errors say when to try again, and careless ones carry the key", async () => {
  await using at = await serving({
    turns: [
      { answer: { error: { status: 429, retry_after_s: 0.2 } } },
      { answer: { error: { status: 503 } } },
      { answer: { error: { status: 500, message: "Failed for {key}" } } },
    ],
  });
  const limited = await body(await at.google(hello));
  assert.equal(limited.error.status, "RESOURCE_EXHAUSTED");
  assert.equal(limited.error.details[1].retryDelay, "0.2s");
  assert.equal((await body(await at.google(hello))).error.status, "UNAVAILABLE");
  assert.equal((await body(await at.google(hello))).error.message, `Failed for ${KEY}`);
});

test("Google: refusals, cut answers and malformed calls end as the real ones do", async () => {
  await using at = await serving({
    turns: [
      { answer: { finish: "safety" } },
      { answer: { finish: "blocked_prompt" } },
      { answer: { finish: "malformed_call" } },
      { answer: { text: "half", finish: "max_tokens" } },
      { answer: {} },
    ],
  });
  const next = async () => body(await at.google(hello));
  const safety = (await next()).candidates[0];
  assert.deepEqual([safety.finishReason, safety.content.parts], ["SAFETY", undefined]);
  const blocked = await next();
  assert.deepEqual([blocked.candidates, blocked.promptFeedback.blockReason], [undefined, "SAFETY"]);
  assert.equal((await next()).candidates[0].finishReason, "MALFORMED_FUNCTION_CALL");
  assert.equal((await next()).candidates[0].finishReason, "MAX_TOKENS");
  const empty = (await next()).candidates[0];
  assert.deepEqual([empty.finishReason, empty.content.parts], ["STOP", undefined]);
});

test("Google: tokens are counted and models listed", async () => {
  await using at = await serving({});
  assert.ok((await body(await at.google(hello, "countTokens"))).totalTokens > 0);
  const listed = await fetch(`${at.server.url}/v1beta/models?key=${KEY}`);
  assert.equal((await body(listed)).models[0].name, "models/scripted");
});

test("a stream that is cut breaks off after so many bytes", async () => {
  const text = "x".repeat(1000);
  await using at = await serving({
    turns: [{ answer: { text, cut_after_bytes: 700 } }, { answer: { text, cut_after_bytes: 0 } }],
  });
  const answer = await at.google(hello, "streamGenerateContent?alt=sse");
  assert.equal(answer.status, 200);
  let received = 0;
  await assert.rejects(async () => {
    for await (const chunk of answer.body ?? []) received += chunk.length;
  });
  assert.equal(received, 700);
  await assert.rejects(at.google(hello), "nothing came at all");
});

test("a stream may end with an error in each protocol, though its status was 200", async () => {
  const answer = { text: "half of it", piece_chars: 5, breaks_with: { status: 503, message: "Lost it." } };
  await using at = await serving({ turns: [{ answer, times: 3 }] });
  const google = await sse(await at.google(hello, "streamGenerateContent?alt=sse"));
  assert.equal(google[0].candidates[0].content.parts[0].text, "half ");
  assert.deepEqual(google.at(-1), { error: { code: 503, message: "Lost it.", status: "UNAVAILABLE" } });
  const openai = await sse(await at.openai({ ...chat, stream: true }));
  assert.deepEqual(openai.at(-1), { error: { code: 503, message: "Lost it." } });
  const anthropic = await sse(await at.anthropic({ ...chat, stream: true }));
  assert.deepEqual([anthropic.at(-1).type, anthropic.at(-1).error.message], ["error", "Lost it."]);
});

test("OpenAI: arguments come in pieces, and usage where it is asked for", async () => {
  const usage = { input: 10, output: 5, cached: 4, thoughts: 7 };
  const args = { command: "echo a long command" };
  await using at = await serving({
    turns: [
      { answer: { text: "I look.", calls: [{ name: "shell", args }], usage, piece_chars: 5 }, times: 3 },
    ],
  });
  const whole = await body(await at.openai(chat));
  assert.equal(whole.choices[0].message.content, "I look.");
  assert.equal(whole.choices[0].finish_reason, "tool_calls");
  assert.deepEqual(JSON.parse(whole.choices[0].message.tool_calls[0].function.arguments), args);
  assert.deepEqual(
    [whole.usage.prompt_tokens, whole.usage.completion_tokens, whole.usage.total_tokens],
    [10, 12, 22],
  );
  const chunks = await sse(
    await at.openai({ ...chat, stream: true, stream_options: { include_usage: true } }),
  );
  const calls = chunks.flatMap((one) => one.choices[0]?.delta.tool_calls ?? []);
  assert.equal(calls[0].function.name, "shell");
  assert.ok(calls.length > 5);
  assert.deepEqual(JSON.parse(calls.map((one) => one.function.arguments).join("")), args);
  assert.deepEqual([chunks.at(-1).choices, chunks.at(-1).usage.total_tokens], [[], 22]);
  const silent = await sse(await at.openai({ ...chat, stream: true }));
  assert.ok(silent.every((one) => one.usage === undefined));
});

test("OpenAI: calls without results, results without calls and a wrong key are refused", async () => {
  await using at = await serving({
    turns: [{ when: { result: "a.txt", user: "hello" }, answer: { text: "done" } }],
  });
  const called = {
    role: "assistant",
    content: null,
    tool_calls: [{ id: "c1", type: "function", function: { name: "shell", arguments: "{}" } }],
  };
  const result = { role: "tool", tool_call_id: "c1", content: "a.txt" };
  const refused = async (messages: Json[]) => {
    const answer = await at.openai({ messages });
    assert.equal(answer.status, 400);
    return (await body(answer)).error.message;
  };
  const user = chat.messages[0] ?? {};
  assert.match(await refused([user, called]), /did not have response messages: c1/);
  assert.match(await refused([user, called, user]), /did not have response messages: c1/);
  assert.match(await refused([user, result]), /must be a response to a preceding message/);
  const answer = await at.openai({ messages: [user, called, result] });
  assert.equal((await body(answer)).choices[0].message.content, "done");
  const wrong = await fetch(`${at.server.openai_url}/models`, { headers: { authorization: "Bearer other" } });
  assert.equal(wrong.status, 401);
  assert.equal((await body(wrong)).error.code, "invalid_api_key");
  at.play.assertFinished();
});

test("OpenAI: broken arguments are sent as they are, and a limit says when to try again", async () => {
  await using at = await serving({
    turns: [
      { answer: { calls: [{ name: "shell", args: '{"command": ' }] } },
      { answer: { error: { status: 429, retry_after_s: 1 } } },
    ],
  });
  const [call] = (await body(await at.openai(chat))).choices[0].message.tool_calls;
  assert.equal(call.function.arguments, '{"command": ');
  const limited = await at.openai(chat);
  assert.deepEqual([limited.status, limited.headers.get("retry-after")], [429, "1"]);
});

test("Anthropic: text and tool use, whole and in pieces", async () => {
  const usage = { input: 10, output: 5, cached: 4 };
  await using at = await serving({
    turns: [
      { answer: { text: "I look.", calls: [{ name: "shell", args: { command: "ls" } }], usage }, times: 2 },
      { when: { result: "a.txt" }, answer: { text: "done" } },
      { answer: { error: { status: 529, message: "Overloaded" } } },
    ],
  });
  const whole = await body(await at.anthropic(chat));
  assert.deepEqual([whole.stop_reason, whole.content.length], ["tool_use", 2]);
  assert.deepEqual([whole.usage.input_tokens, whole.usage.cache_read_input_tokens], [6, 4]);
  const pieces = await sse(await at.anthropic({ ...chat, stream: true }));
  assert.equal(pieces[0].type, "message_start");
  assert.equal(pieces.at(-1).type, "message_stop");
  assert.equal(pieces.at(-2).usage.output_tokens, 5);
  const args = pieces.flatMap((one) => one.delta?.partial_json ?? []).join("");
  assert.deepEqual(JSON.parse(args), { command: "ls" });
  const called = { role: "assistant", content: whole.content };
  const without = await at.anthropic({ messages: [...chat.messages, called, ...chat.messages] });
  assert.match((await body(without)).error.message, /without `tool_result` blocks/);
  const result = { type: "tool_result", tool_use_id: whole.content[1].id, content: "a.txt" };
  const answer = await at.anthropic({
    messages: [...chat.messages, called, { role: "user", content: [result] }],
  });
  assert.equal((await body(answer)).content[0].text, "done");
  const overloaded = await at.anthropic(chat);
  assert.deepEqual([overloaded.status, (await body(overloaded)).error.type], [529, "overloaded_error"]);
});

test("rules answer by content before the turns do, as often as they may", async () => {
  await using at = await serving({
    rules: [
      { when: { user: { pattern: "^who", flags: "i" } }, answer: { text: "me" }, times: 1 },
      { when: { structured: true }, answer: { json: { fine: true } } },
    ],
    turns: [
      { answer: { text: "first" } },
      { when: { nowhere: "secret", tools: ["shell"] }, answer: { text: "second" } },
    ],
  });
  const said = async (request: Json) => {
    const answer = await body(await at.google(request));
    return answer.candidates?.[0].content.parts[0].text ?? answer.error.message;
  };
  const structured = { ...hello, generationConfig: { responseMimeType: "application/json" } };
  assert.equal(await said(structured), '{"fine":true}');
  assert.equal(await said({ contents: [says("Who is it?")] }), "me");
  assert.equal(await said({ contents: [says("Who is it?")] }), "first");
  assert.match(
    await said({ contents: [says("a secret")] }),
    /Turn 2 of 2: nothing should contain "secret"; the tools shell/,
  );
  const tools = [{ functionDeclarations: [{ name: "shell" }] }];
  assert.equal(await said({ ...hello, tools }), "second");
  assert.equal(await said(structured), '{"fine":true}');
  assert.match(await said(hello), /all 2 turns were given/);
  assert.equal(at.play.failures.length, 2);
  assert.throws(() => at.play.assertFinished(), /was not kept to/);
});

test("a held answer comes when it is released, and is given again when whoever asked has left", async () => {
  await using at = await serving({ turns: [{ answer: { text: "late", hold: "go" } }] });
  const leaving = new AbortController();
  const asked = fetch(`${at.server.url}/v1beta/models/m:generateContent?key=${KEY}`, {
    method: "POST",
    body: JSON.stringify(hello),
    signal: leaving.signal,
  });
  await at.play.asked(1);
  leaving.abort();
  await assert.rejects(asked);
  await at.play.abandoned(1);
  const again = at.google(hello);
  await at.play.asked(2);
  at.play.release("go");
  assert.equal((await body(await again)).candidates[0].content.parts[0].text, "late");
  at.play.assertFinished();
});

test("which calls a model may make is understood in each protocol", async () => {
  await using at = await serving({});
  at.server.play(({ choice }) => ({ text: choice }));
  const parameters = { type: "object", properties: {} };
  const google = async (functionCallingConfig: Json) => {
    const tools = [{ functionDeclarations: [{ name: "shell", parametersJsonSchema: parameters }] }];
    const answer = await body(await at.google({ ...hello, tools, toolConfig: { functionCallingConfig } }));
    return answer.candidates[0].content.parts[0].text;
  };
  const openai = async (tool_choice: unknown) => {
    const tools = [{ type: "function", function: { name: "shell", parameters } }];
    return (await body(await at.openai({ ...chat, tools, tool_choice }))).choices[0].message.content;
  };
  const anthropic = async (tool_choice: Json) => {
    const tools = [{ name: "shell", input_schema: parameters }];
    return (await body(await at.anthropic({ ...chat, tools, tool_choice }))).content[0].text;
  };
  assert.deepEqual(
    [
      await google({ mode: "AUTO" }),
      await google({ mode: "NONE" }),
      await google({ mode: "ANY" }),
      await google({ mode: "ANY", allowedFunctionNames: ["shell"] }),
    ],
    ["auto", "none", "required", "shell"],
  );
  assert.deepEqual(
    [
      await openai("auto"),
      await openai("none"),
      await openai({ type: "function", function: { name: "shell" } }),
    ],
    ["auto", "none", "shell"],
  );
  assert.deepEqual(
    [await anthropic({ type: "any" }), await anthropic({ type: "tool", name: "shell" })],
    ["required", "shell"],
  );
});

test("each model has a scenario of its own, and a function may be one", async () => {
  await using at = await serving({ turns: [{ answer: { text: "anybody" } }] });
  at.server.play(({ messages }) => ({ text: `You said ${messages[0]?.text}` }), "echo");
  const answer = await fetch(`${at.server.url}/v1beta/models/echo:generateContent?key=${KEY}`, {
    method: "POST",
    body: JSON.stringify(hello),
  });
  assert.equal((await body(answer)).candidates[0].content.parts[0].text, "You said hello");
  assert.equal((await body(await at.google(hello))).candidates[0].content.parts[0].text, "anybody");
  const { headers, path, status } = at.server.recorded.at(-1) ?? {};
  assert.deepEqual(
    [headers?.["x-goog-api-key"], path, status],
    [KEY, "/v1beta/models/m:generateContent", 200],
  );
});

test("the scenario files for trials by hand are scenarios", async () => {
  const folder = join(import.meta.dirname, "scenarios");
  const files = await readdir(folder);
  assert.ok(files.length > 0);
  for (const file of files) Scenario.parse(JSON.parse(await readFile(join(folder, file), "utf8")));
});
