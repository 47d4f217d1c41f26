import assert from "node:assert/strict";
import { mkdtempDisposable, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import type { Check } from "../contract/api.ts";
import { VERSION } from "../contract/version.ts";
import { lockState } from "../stores/state-lock.ts";
import { doctor } from "./doctor.ts";
import { readSettings } from "./settings.ts";

/** What doctor says about models in this environment, without an engine. */
async function models(environment: Record<string, string>, config: object = {}): Promise<Check> {
  await using folder = await mkdtempDisposable(join(tmpdir(), "sealwork-doctor-"));
  const file = join(folder.path, "config.json");
  await writeFile(file, JSON.stringify(config));
  const settings = readSettings({
    PATH: process.env.PATH,
    HOME: folder.path,
    SEALWORK_CONFIG: file,
    DOCKER_HOST: `unix://${folder.path}/none.sock`,
    ...environment,
  });
  const checks = await doctor(settings, AbortSignal.timeout(20_000));
  const found = checks.find(({ name }) => name === "models");
  assert.ok(found);
  assert.doesNotMatch(JSON.stringify(checks), /secret-key/);
  return found;
}

test("without a provider doctor warns and says how to configure one", async () => {
  const check = await models({});
  assert.equal(check.state, "warning");
  assert.match(check.message, /No model is configured/);
  assert.match(check.hint ?? "", /GEMINI_API_KEY.*docs\/models\.md/);
});

test("where only the running server has a provider, doctor says so instead of warning", async () => {
  await using folder = await mkdtempDisposable(join(tmpdir(), "sealwork-doctor-"));
  await using _lock = await lockState(folder.path, {
    url: "",
    pid: process.pid,
    version: VERSION,
    started_at: new Date().toISOString(),
    background: true,
    providers: ["GEMINI_API_KEY"],
  });
  const check = await models({ SEALWORK_DATA: folder.path });
  assert.deepEqual(
    [check.state, check.message],
    ["ok", "none in this environment; the running server has GEMINI_API_KEY"],
  );
});

test("doctor names the providers and the model that jobs take, and never a key", async () => {
  const google = await models({ GEMINI_API_KEY: "secret-key" });
  assert.deepEqual([google.state, google.hint], ["ok", null]);
  assert.match(google.message, /^google; jobs take google\/gemini-/);
  const local = { protocol: "openai", base_url: "http://127.0.0.1:11434/v1", default_model: "m" };
  const check = await models({}, { providers: { local } });
  assert.deepEqual([check.state, check.message], ["ok", "local (without a key); jobs take local/m"]);
});

test("a provider of which nobody knows a model is a warning that says how to name one", async () => {
  const check = await models({ OPENAI_BASE_URL: "http://127.0.0.1:11434/v1" });
  assert.deepEqual(
    [check.state, check.message],
    ["warning", "openai (without a key); no model is the default"],
  );
  assert.match(check.hint ?? "", /--model openai\/MODEL/);
});

test("what is wrong with a provider fails, with its reason", async () => {
  const url = await models({ OPENAI_BASE_URL: "not a url" });
  assert.deepEqual([url.state, /openai is no http/.test(url.message)], ["failed", true]);
  const mine = { protocol: "openai", base_url: "https://models.example/v1", api_key_env: "MY_KEY" };
  const key = await models({}, { providers: { mine } });
  assert.deepEqual([key.state, /MY_KEY, which is not set/.test(key.message)], ["failed", true]);
  assert.equal((await models({ MY_KEY: "secret-key" }, { providers: { mine } })).state, "warning");
});
