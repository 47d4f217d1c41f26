import assert from "node:assert/strict";
import { test } from "node:test";
import { Config } from "./config.ts";
import { modelInfo } from "./model-table.ts";

test("a known model is found by its name, a dated version, a preview and a gateway's name for it", () => {
  const flash = modelInfo({}, "google", "gemini-2.5-flash");
  assert.deepEqual([flash.context_tokens, flash.input_usd_per_million], [1_048_576, 0.3]);
  assert.deepEqual(modelInfo({}, "google", "gemini-2.5-flash-preview-09-2025"), flash);
  assert.deepEqual(modelInfo({}, "openrouter", "google/gemini-2.5-flash"), flash);
  assert.notDeepEqual(modelInfo({}, "google", "gemini-2.5-flash-lite"), flash);
  for (const model of ["gpt-5-2025-08-07", "gpt-5-chat-latest", "gpt-5-codex", "gpt-5:free"])
    assert.equal(modelInfo({}, "openai", model).output_usd_per_million, 10, model);
  assert.equal(modelInfo({}, "anthropic", "claude-haiku-4-5-20251001").output_usd_per_million, 5);
});

test("a name that only begins like a known one is another model, of which nothing is assumed but a small window", () => {
  const others = ["gpt-5-pro", "gpt-5.2-pro-2026-01-01", "gemini-2.5-flash-image", "gpt-4o-audio-preview"];
  for (const model of [...others, "gpt-50", "gpt-5.9", "llama3:8b", "", "constructor", "__proto__"]) {
    const info = modelInfo({}, "p", model);
    assert.deepEqual([info.context_tokens, info.input_usd_per_million], [128_000, null], model);
  }
});

test("the configuration overrides field by field, and most by the provider's own model", () => {
  const { models } = Config.parse({
    models: {
      "gemini-2.5-flash": { input_usd_per_million: 9, context_tokens: 50_000 },
      "mine/gemini-2.5-flash": { input_usd_per_million: null },
      "local/llama": { context_tokens: 8_000 },
    },
  });
  const info = modelInfo(models, "google", "gemini-2.5-flash");
  assert.deepEqual(
    [info.input_usd_per_million, info.context_tokens, info.output_usd_per_million],
    [9, 50_000, 2.5],
  );
  const mine = modelInfo(models, "mine", "gemini-2.5-flash");
  assert.deepEqual([mine.input_usd_per_million, mine.context_tokens], [null, 50_000]);
  const llama = modelInfo(models, "local", "llama");
  assert.deepEqual([llama.context_tokens, llama.max_output_tokens], [8_000, 8_192]);
});
