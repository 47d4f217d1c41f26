import assert from "node:assert/strict";
import { test } from "node:test";
import { sse } from "./broker-fixture.ts";
import { estimateOf } from "./estimate.ts";
import { SseParser } from "./sse.ts";
import { type Tokens, UsageCounter } from "./usage.ts";

const tokens = (input_tokens: number, cached_tokens: number, output_tokens: number): Tokens => ({
  input_tokens,
  cached_tokens,
  output_tokens,
});

const GOOGLE = {
  promptTokenCount: 100,
  cachedContentTokenCount: 40,
  candidatesTokenCount: 7,
  thoughtsTokenCount: 20,
};
const google = (usageMetadata: unknown, text = "x") => ({
  candidates: [{ content: { parts: [{ text }] } }],
  usageMetadata,
});

const COUNTED: [string, string, string, Tokens | null][] = [
  ["Gemini, whole", "application/json", JSON.stringify(google(GOOGLE)), tokens(100, 40, 27)],
  [
    "Gemini as SSE, where counts grow and the last part leaves some out",
    "text/event-stream",
    sse(
      google({ promptTokenCount: 100, thoughtsTokenCount: 20 }),
      google(GOOGLE),
      google({ promptTokenCount: 100 }),
    ),
    tokens(100, 40, 27),
  ],
  [
    "Gemini as a JSON array",
    "application/json; charset=UTF-8",
    JSON.stringify([google({ promptTokenCount: 5 }), google(GOOGLE)], null, 2),
    tokens(100, 40, 27),
  ],
  [
    "OpenAI's chat completion",
    "application/json",
    '{"usage":{"prompt_tokens":9,"completion_tokens":4,"prompt_tokens_details":{"cached_tokens":3}}}',
    tokens(9, 3, 4),
  ],
  [
    "OpenAI's stream with usage only in its last part",
    "text/event-stream",
    sse(
      { choices: [{ delta: { content: "hi" } }], usage: null },
      { choices: [], usage: { prompt_tokens: 9, completion_tokens: 4 } },
      "[DONE]",
    ),
    tokens(9, 0, 4),
  ],
  [
    "OpenAI's Responses API",
    "application/json",
    '{"output":[],"usage":{"input_tokens":75,"input_tokens_details":{"cached_tokens":5},"output_tokens":11}}',
    tokens(75, 5, 11),
  ],
  [
    "a stream of the Responses API",
    "text/event-stream; charset=utf-8",
    `event: response.output_text.delta\n${sse({ type: "response.output_text.delta", delta: "hi" })}event: response.completed\n${sse({ type: "response.completed", response: { usage: { input_tokens: 75, output_tokens: 11 } } })}`,
    tokens(75, 0, 11),
  ],
  [
    "Anthropic's message, whose cache is counted beside its input",
    "application/json",
    '{"usage":{"input_tokens":10,"cache_creation_input_tokens":200,"cache_read_input_tokens":1000,"output_tokens":5}}',
    tokens(1210, 1000, 5),
  ],
  [
    "Anthropic's stream",
    "text/event-stream",
    sse(
      {
        type: "message_start",
        message: { usage: { input_tokens: 10, cache_read_input_tokens: 90, output_tokens: 1 } },
      },
      { type: "content_block_delta", delta: { type: "text_delta", text: "hello" } },
      { type: "message_delta", usage: { output_tokens: 15 } },
    ),
    tokens(100, 90, 15),
  ],
  [
    "an embedding",
    "application/json",
    '{"data":[],"usage":{"prompt_tokens":8,"total_tokens":8}}',
    tokens(8, 0, 0),
  ],
  [
    "numbers that are none",
    "application/json",
    '{"usage":{"prompt_tokens":-5,"completion_tokens":"9"}}',
    tokens(0, 0, 0),
  ],
  ["an answer that says nothing", "application/json", '{"choices":[]}', null],
  ["what is no JSON", "application/json", '{"usage":', null],
  ["a web page", "text/html", "<p>hello</p>", null],
];
for (const [title, type, text, expected] of COUNTED) {
  test(`tokens are counted in ${title}, however it is cut into parts`, () => {
    const bytes = Buffer.from(text);
    for (const size of [1, 7, bytes.length]) {
      const counter = new UsageCounter(type);
      for (let i = 0; i < bytes.length; i += size) counter.push(bytes.subarray(i, i + size));
      assert.deepEqual(counter.end(), expected, `in parts of ${size}`);
    }
  });
}

test("where a provider does not say, tokens are estimated from what the model wrote, its calls included", () => {
  const counter = new UsageCounter("text/event-stream");
  const call = { index: 0, function: { name: "write", arguments: '{"path":"a.txt","text":"some words"}' } };
  counter.push(
    Buffer.from(
      sse(
        { choices: [{ delta: { content: "w".repeat(300) } }] },
        { choices: [{ delta: { tool_calls: [call] } }] },
      ),
    ),
  );
  assert.equal(counter.end(), null);
  assert.equal(counter.estimatedOutput(), 112);
});

test("Server-Sent Events are taken apart by any kind of line end, joined over lines, and passed over when too long", () => {
  const seen: string[] = [];
  const parser = new SseParser((data) => seen.push(data));
  parser.push(Buffer.from(": comment\r\rdata: a\rdata:b\r\n\r\nid: 7\ndata:  c\n\nevent: x\n\n"));
  const long = Buffer.alloc(1024 * 1024, "x");
  parser.push(Buffer.from("data: "));
  for (let i = 0; i < 20; i += 1) parser.push(long);
  parser.push(Buffer.from("\n\ndata: after\n\ndata: last"));
  parser.end();
  assert.deepEqual(seen, ["a\nb", " c", "after", "last"]);
});

test("what a body may be in tokens is more than it is, and media are not counted as text", () => {
  const info = {
    context_tokens: 1_000_000,
    max_output_tokens: 1000,
    input_usd_per_million: null,
    output_usd_per_million: null,
    cached_usd_per_million: null,
  };
  const estimate = (body: Record<string, unknown>) =>
    estimateOf({
      provider: "p",
      model: "m",
      body,
      body_bytes: Buffer.byteLength(JSON.stringify(body)),
      writes: true,
      info,
    }).input_tokens;
  assert.ok(estimate({ contents: "four score and seven years ago ".repeat(1000) }) >= 7000);
  const image = Buffer.alloc(1_500_000, 1).toString("base64");
  const media = estimate({ contents: [{ parts: [{ inlineData: { data: image } }] }] });
  assert.ok(media > 5_000 && media < 100_000, String(media));
  assert.equal(estimate({ cachedContent: "cachedContents/1" }), 1_000_000);
  assert.equal(estimate({ input: "some words ".repeat(300_000) }), 1_000_000, "never more than the window");
  assert.ok(
    estimate({ input: "some words ".repeat(800_000) }) > 2_000_000,
    "but for a body that cannot fit it",
  );
});
