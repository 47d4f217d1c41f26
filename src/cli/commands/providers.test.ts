import assert from "node:assert/strict";
import { test } from "node:test";
import { world } from "../cli-world.fake.ts";
import { runFake } from "../io.fake.ts";

test("providers lists what is configured and what a job takes that names no model", async (t) => {
  const { server, io } = await world(t);
  server.models = {
    providers: [
      {
        name: "google",
        protocol: "google",
        base_url: "https://models.example",
        has_key: true,
        default_model: "gemini-x",
      },
      {
        name: "local",
        protocol: "openai",
        base_url: "http://127.0.0.1:11434/v1\x1b[2J",
        has_key: false,
        default_model: null,
      },
    ],
    default_model: "google/gemini-x",
  };
  const done = await runFake(io(), ["providers"]);
  assert.equal(done.code(), 0);
  assert.equal(
    done.out(),
    [
      "NAME    DEFAULT MODEL  KEY   ADDRESS",
      "google  gemini-x       set   https://models.example",
      "local   none           none  http://127.0.0.1:11434/v1",
      "Jobs that name no model take google/gemini-x.",
      "",
    ].join("\n"),
  );
  server.models.default_model = null;
  assert.match((await runFake(io(), ["providers"])).out(), /No model is the default: give `--model`/);
  const as_json = await runFake(io(), ["providers", "--json"]);
  assert.deepEqual(JSON.parse(as_json.out()), server.models);
});

test("without any, providers says how to configure one", async (t) => {
  const { io } = await world(t);
  const done = await runFake(io(), ["providers"]);
  assert.equal(done.code(), 0);
  assert.match(done.out(), /^No model is configured; .*\n→ Set GEMINI_API_KEY, .*docs\/models\.md\.\n$/);
});
