import assert from "node:assert/strict";
import { test } from "node:test";
import { Config } from "../contract/config.ts";
import { AppError } from "../contract/errors.ts";
import { readProviders } from "./providers.ts";

const read = (providers: unknown, environment: Record<string, string>) =>
  readProviders(Config.parse({ providers }), environment);

test("a key in the environment is a whole provider, at its own address and with a model to begin with", () => {
  const { providers, keys } = read({}, { GEMINI_API_KEY: "g-key", ANTHROPIC_API_KEY: " a-key\n" });
  assert.deepEqual(
    providers.map(({ name, protocol, base_url, has_key }) => [name, protocol, base_url, has_key]),
    [
      ["google", "google", "https://generativelanguage.googleapis.com", true],
      ["anthropic", "anthropic", "https://api.anthropic.com", true],
    ],
  );
  for (const { default_model } of providers) assert.match(default_model ?? "", /^(gemini|claude)-/);
  assert.deepEqual(
    [...keys],
    [
      ["google", "g-key"],
      ["anthropic", "a-key"],
    ],
  );
  assert.doesNotMatch(JSON.stringify(providers), /[ag]-key/);
});

test("an address alone is a provider without a key, of whose models nothing is known", () => {
  const { providers, keys } = read({}, { OPENAI_BASE_URL: "http://127.0.0.1:11434/v1/" });
  assert.deepEqual(providers, [
    {
      name: "openai",
      protocol: "openai",
      base_url: "http://127.0.0.1:11434/v1",
      has_key: false,
      default_model: null,
    },
  ]);
  assert.equal(keys.size, 0);
  assert.deepEqual(read({}, { OPENAI_API_KEY: "  " }).providers, []);
});

test("the configuration wins over the environment field by field, and keeps its order", () => {
  const environment = {
    GEMINI_API_KEY: "from-env",
    GOOGLE_GEMINI_BASE_URL: "http://env.test",
    OTHER: "named-key",
  };
  const { providers, keys } = read(
    {
      local: { protocol: "openai", base_url: "http://localhost:8080/v1", default_model: "llama" },
      google: { protocol: "google", default_model: "gemini-x" },
      second: { protocol: "anthropic", api_key_env: "OTHER" },
    },
    environment,
  );
  assert.deepEqual(
    providers.map(({ name, base_url, default_model }) => [name, base_url, default_model]),
    [
      ["local", "http://localhost:8080/v1", "llama"],
      ["google", "http://env.test", "gemini-x"],
      ["second", "https://api.anthropic.com", "claude-sonnet-5-5"],
    ],
  );
  assert.deepEqual(
    [...keys],
    [
      ["google", "from-env"],
      ["second", "named-key"],
    ],
  );
  const own = read({ google: { protocol: "google", api_key_env: "OTHER" } }, environment);
  assert.equal(own.keys.get("google"), "named-key");
});

test("a provider of the configuration that only shares a name never gets the key of another protocol's provider", () => {
  const { providers, keys } = read(
    { openai: { protocol: "google", base_url: "http://elsewhere.test" } },
    { OPENAI_API_KEY: "sk-secret" },
  );
  assert.deepEqual([providers.length, keys.size], [1, 0]);
});

test("what cannot work is refused when it is read, without a word of the secret", () => {
  for (const [providers, environment] of [
    [{ a: { protocol: "openai", base_url: "https://user:hunter2@x.test/v1" } }, {}],
    [{}, { OPENAI_BASE_URL: "https://hunter2@x.test" }],
    [{}, { OPENAI_BASE_URL: "hunter2" }],
    [{}, { OPENAI_BASE_URL: "ftp://hunter2" }],
    [{}, { OPENAI_BASE_URL: "https://x.test/v1?key=hunter2" }],
    [{}, { GEMINI_API_KEY: "hunter2\nand more" }],
    [{ a: { protocol: "google", api_key_env: "MISSING" } }, {}],
  ] as [unknown, Record<string, string>][]) {
    assert.throws(
      () => read(providers, environment),
      (error) =>
        error instanceof AppError &&
        error.code === "invalid_config" &&
        !`${error.message} ${error.stack}`.includes("hunter2"),
      JSON.stringify(providers),
    );
  }
});
