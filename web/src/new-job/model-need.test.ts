import assert from "node:assert/strict";
import { test } from "node:test";
import type { Agent, Provider } from "../../../src/contract/api.ts";
import { parseScript } from "../../../src/contract/script.ts";
import { hasSteps, needOf } from "./model-need.ts";

const agent = (name: string, needs_model: boolean, protocol: Agent["protocol"] = null): Agent => ({
  name,
  needs_model,
  protocol,
  template: null,
});
const AGENTS = [agent("script", false), agent("native", true), agent("codex", true, "openai")];
const GOOGLE: Provider = {
  name: "google",
  protocol: "google",
  base_url: "",
  has_key: true,
  default_model: "m",
};
const SCRIPT = "```sh\ntrue\n```";

test("what the server would refuse for want of a model or of steps is told for each agent", () => {
  const need = (name: string, prompt: string, providers: Provider[]) =>
    needOf({ agent: name, prompt }, { agents: AGENTS, providers });
  assert.equal(need("auto", "Plain words.", []), "model_or_steps");
  assert.equal(need("auto", SCRIPT, []), null);
  assert.equal(need("auto", "Plain words.", [GOOGLE]), null);
  assert.equal(need("script", "Plain words.", [GOOGLE]), "steps");
  assert.equal(need("script", SCRIPT, []), null);
  assert.equal(need("native", SCRIPT, []), "model");
  assert.equal(need("native", "Plain words.", [GOOGLE]), null);
  assert.equal(need("codex", SCRIPT, [GOOGLE]), "model");
});

test("the page and the server agree on what has steps", () => {
  for (const prompt of [
    "```sh\ntrue\n```",
    "words\n\n~~~python\n1\n~~~",
    "- in a list\n\n  ```bash\n  true\n  ```",
    "> ```js\n> 1\n> ```",
    "1. ```ts\n   1\n   ```",
    "```csv file=a.csv\n1\n```",
    "````sh continue\ntrue\n````",
    "```\ntext\n```",
    "```json\n{}\n```",
    "```shell-session\n$ true\n```",
    "say `sh` or ```sh inline```",
    "plain",
    "",
  ])
    assert.equal(hasSteps(prompt), parseScript(prompt).length > 0, JSON.stringify(prompt));
});
