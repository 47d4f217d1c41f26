import assert from "node:assert/strict";
import { test } from "node:test";
import type { Provider } from "../contract/api.ts";
import { Config } from "../contract/config.ts";
import { AppError } from "../contract/errors.ts";
import { JobRequest, type JobRequestInput } from "../contract/job.ts";
import { admit } from "./admission.ts";
import { agentViews } from "./job-view.ts";
import { chooseModel } from "./models.ts";

const machine = {
  engine: "test",
  engine_version: "1",
  cpus: 2,
  memory_bytes: 4 * 2 ** 30,
  runtimes: [],
};
const provider = (name: string, protocol: Provider["protocol"], default_model: string | null): Provider => ({
  name,
  protocol,
  base_url: "http://localhost",
  has_key: true,
  default_model,
});
const GOOGLE = provider("google", "google", "gemini-x");
const OPENAI = provider("openai", "openai", null);
const SCRIPT = "```sh\ntrue\n```";

function admitted(
  request: Partial<JobRequestInput>,
  providers: Provider[] = [GOOGLE],
  config: Record<string, unknown> = {},
) {
  const whole = JobRequest.parse({ prompt: "Do something.", ...request });
  return admit(whole, { config: Config.parse(config), providers, machine }).request;
}

function faults(
  request: Partial<JobRequestInput>,
  providers: Provider[] = [GOOGLE],
  config: Record<string, unknown> = {},
): [string, string][] {
  try {
    admitted(request, providers, config);
  } catch (error) {
    assert(error instanceof AppError && error.code === "invalid_request", String(error));
    return (error.details ?? []).map(({ loc, type }) => [loc.join("."), type]);
  }
  return [];
}

test("auto is the native agent where a model is configured, else the script agent for a prompt that is a script", () => {
  assert.deepEqual(pick(admitted({})), ["native", "base", "google/gemini-x"]);
  assert.deepEqual(pick(admitted({ prompt: SCRIPT })), ["native", "base", "google/gemini-x"]);
  assert.deepEqual(pick(admitted({ prompt: SCRIPT }, [])), ["script", "base", null]);
  assert.deepEqual(faults({}, []), [["body.prompt", "no_model"]]);
  assert.deepEqual(faults({ prompt: SCRIPT, model: "m" }, []), [["body.model", "no_model"]]);
});

test("the error for a missing model says how to configure one", () => {
  assert.throws(() => admitted({}, []), /GEMINI_API_KEY.*docs\/models\.md/);
  assert.throws(() => admitted({ agent: "native" }, []), /no provider is configured.*GEMINI_API_KEY/);
  assert.throws(() => admitted({ agent: "native" }, [OPENAI]), /default_model/);
});

test("an agent CLI brings its template and needs a provider of its own protocol", () => {
  assert.deepEqual(pick(admitted({ agent: "gemini-cli" }, [OPENAI, GOOGLE])), [
    "gemini-cli",
    "agents",
    "google/gemini-x",
  ]);
  assert.equal(admitted({ agent: "gemini-cli", template: "base" }).template, "base");
  assert.deepEqual(faults({ agent: "gemini-cli" }, [OPENAI]), [["body.model", "no_model"]]);
  const mine = { command: ["mine", "--acp"], protocol: "openai", template: "base" };
  const config = { agents: { mine } };
  assert.deepEqual(pick(admitted({ agent: "mine", model: "m" }, [OPENAI], config)), [
    "mine",
    "base",
    "openai/m",
  ]);
});

test("unknown agents and templates are named with those that there are; names of every object are none", () => {
  for (const name of ["nobody", "constructor", "__proto__"]) {
    assert.deepEqual(faults({ agent: name }), [["body.agent", "unknown_agent"]]);
    assert.deepEqual(faults({ template: name }), [["body.template", "unknown_template"]]);
  }
  assert.throws(() => admitted({ agent: "nobody" }), /auto, script, native, gemini-cli/);
});

test("every agent that is listed can be asked for, with what it is said to need", () => {
  const config = { agents: { mine: { command: ["x"], protocol: "openai", template: "base" } } };
  const agents = agentViews(Config.parse(config));
  assert.deepEqual(
    agents.map(({ name }) => name),
    ["script", "native", "gemini-cli", "claude-code", "codex", "opencode", "mine"],
  );
  for (const { name, needs_model, protocol } of agents) {
    const found = faults({ agent: name, template: "base", prompt: SCRIPT }, [], config);
    assert.deepEqual(found, needs_model ? [["body.model", "no_model"]] : [], name);
    const one = provider("one", protocol ?? "google", "m");
    assert.equal(
      admitted({ agent: name, template: "base", prompt: SCRIPT }, [one], config).model,
      needs_model ? "one/m" : null,
    );
  }
});

test("the script agent takes no model, and may linger for those who watch", () => {
  assert.deepEqual(faults({ agent: "script", prompt: SCRIPT, model: "m", linger_s: 5 }), [
    ["body.model", "no_model"],
  ]);
  assert.deepEqual(faults({ agent: "script" }), [["body.prompt", "no_steps"]]);
});

test("egress is the template's unless the job has a policy of its own", () => {
  const templates = { web: { image: "web", egress: { policy: "allow", hosts: ["A.test"] } } };
  const of = (egress: JobRequestInput["egress"]) =>
    admitted({ template: "web", egress }, [GOOGLE], { templates }).egress;
  assert.deepEqual(of(undefined), { policy: "allow", hosts: ["a.test"] });
  assert.deepEqual(of({ hosts: ["b.test", "B.test"] }), { policy: "allow", hosts: ["a.test", "b.test"] });
  assert.deepEqual(of({ policy: "internet" }), { policy: "internet", hosts: [] });
  assert.deepEqual(of({ policy: "none" }), { policy: "none", hosts: [] });
  assert.deepEqual(admitted({}).egress, { policy: "packages", hosts: [] });
  assert.deepEqual(faults({ egress: { policy: "none", hosts: ["a.test"] } }), [
    ["body.egress.hosts", "conflict"],
  ]);
});

test("hosts are names, with a star in front or a port behind; addresses are none in any notation", () => {
  const valid = (host: string) => JobRequest.safeParse({ prompt: "x", egress: { hosts: [host] } }).success;
  for (const good of [
    "example.org",
    "*.example.org",
    "a.b.example.org:8443",
    "localhost",
    "xn--bcher-kva.example",
  ])
    assert.ok(valid(good), good);
  for (const bad of [
    "1.2.3.4",
    "2130706433",
    "127.1",
    "[::1]",
    "::1",
    "http://a.test",
    "a.test/x",
    "*",
    "*.*.a",
    "a..b",
    "",
    " a",
    "a.test:",
    "0x7f.1",
  ])
    assert.ok(!valid(bad), bad);
});

test("a budget in dollars needs a price", () => {
  const budget = { max_cost_usd: 1 };
  assert.deepEqual(faults({ budget, model: "no-such-model" }), [["body.budget.max_cost_usd", "no_price"]]);
  const models = { "google/no-such-model": { input_usd_per_million: 1, output_usd_per_million: 2 } };
  assert.deepEqual(faults({ budget, model: "no-such-model" }, [GOOGLE], { models }), []);
});

test("a job that was admitted is admitted again alike, as a retry does", () => {
  const first = admitted({ egress: { hosts: ["a.test"] }, model: "google/m" });
  const { request } = admit(first, { config: Config.parse({}), providers: [GOOGLE], machine });
  assert.deepEqual(request, first);
});

test("a model is found by provider and name, by name alone, or by default", () => {
  const choose = (
    wanted: string | null,
    providers: Provider[],
    default_model: string | null = null,
    protocol: Provider["protocol"] | null = null,
  ) => {
    const chosen = chooseModel(wanted, protocol, { config: Config.parse({ default_model }), providers });
    return chosen === null ? null : `${chosen.provider.name} ${chosen.model}`;
  };
  const ROUTER = provider("router", "openai", "vendor/big");
  assert.equal(choose(null, []), null);
  assert.equal(choose(null, [OPENAI]), null);
  assert.equal(choose(null, [OPENAI, GOOGLE]), "google gemini-x");
  assert.equal(choose("gpt", [OPENAI]), "openai gpt");
  assert.equal(choose("openai/gpt", [GOOGLE, OPENAI]), "openai gpt");
  assert.equal(choose("vendor/small", [ROUTER]), "router vendor/small");
  assert.equal(choose("router/vendor/small", [GOOGLE, ROUTER]), "router vendor/small");
  assert.equal(choose(null, [GOOGLE, ROUTER], "router/vendor/small"), "router vendor/small");
  assert.equal(choose(null, [GOOGLE, ROUTER], "gemini-y"), "google gemini-y");
  assert.equal(choose(null, [GOOGLE, ROUTER], "google/gemini-y", "openai"), "router vendor/big");
  assert.equal(choose("small", [GOOGLE, ROUTER], "router/vendor/big"), "router small");
});

test("a model's name that no provider can know is refused before anything runs for it", () => {
  const NAMES = [GOOGLE, OPENAI];
  for (const model of ["nobody/gemini-x", "google/", "google/nobody/gemini-x"])
    assert.deepEqual(faults({ model }, NAMES), [["body.model", "unknown_model"]], model);
  assert.throws(
    () => admitted({ model: "nobody/x" }, NAMES),
    /no provider "nobody"; there are: google, openai/,
  );
  const cli = { agent: "gemini-cli", model: "openai/gpt" };
  assert.throws(
    () => admitted(cli, NAMES),
    /openai speaks the openai protocol.*needs one that speaks google/,
  );
  for (const model of ["openai/vendor/big", "google/gemini-y", "gemini-y"])
    assert.deepEqual(faults({ model }, NAMES), [], model);
  assert.deepEqual(faults({ model: "vendor/big" }, [OPENAI]), []);
});

function pick({ agent, template, model }: { agent: string; template: string; model: string | null }) {
  return [agent, template, model];
}
