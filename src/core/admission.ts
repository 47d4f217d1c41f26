import type { Provider } from "../contract/api.ts";
import type { Config } from "../contract/config.ts";
import type { ErrorDetail } from "../contract/error-body.ts";
import { AppError } from "../contract/errors.ts";
import type { AdmittedRequest, Egress, JobRequest } from "../contract/job.ts";
import { type Limits, mergeLimits } from "../contract/limits.ts";
import { modelInfo } from "../contract/model-table.ts";
import { parseScript } from "../contract/script.ts";
import type { DriverInfo } from "./driver.ts";
import { agentViews } from "./job-view.ts";
import { type ChosenModel, chooseModel, cliOf, modelFault, modelName } from "./models.ts";

/** What a request is held against. */
export type Circumstances = { config: Config; providers: readonly Provider[]; machine: DriverInfo };
export type Admitted = { request: AdmittedRequest; limits: Limits };

const CONFIGURE_A_MODEL =
  "set GEMINI_API_KEY (or OPENAI_API_KEY, OPENAI_BASE_URL, ANTHROPIC_API_KEY) for the server, or name a provider in config.json; docs/models.md shows how";

type Fault = (loc: (string | number)[], msg: string, type: string) => void;

/**
 * Judges a well-formed request against templates, agents, models and what the machine has, and settles what it left open.
 * Throws AppError `invalid_request` with every fault found, each naming its field.
 */
export function admit(request: JobRequest | AdmittedRequest, circumstances: Circumstances): Admitted {
  const { config, machine } = circumstances;
  const faults: ErrorDetail[] = [];
  const fault: Fault = (loc, msg, type) => faults.push({ loc: ["body", ...loc], msg, type });

  const { agent, model } = settleAgent(request, circumstances, fault);
  const wrong_model = model === null ? null : modelFault(request.model, model, circumstances.providers);
  if (wrong_model !== null) fault(["model"], wrong_model, "unknown_model");
  const name = request.template ?? cliOf(agent, config)?.template ?? config.default_template;
  // A name such as `constructor` is found on every object, but is no template.
  const template = Object.hasOwn(config.templates, name) ? config.templates[name] : undefined;
  if (template === undefined)
    fault(
      ["template"],
      `There is no template ${JSON.stringify(name)}; there are: ${Object.keys(config.templates).join(", ")}.`,
      "unknown_template",
    );
  const egress = settleEgress(request.egress, template?.egress, fault);
  checkBudget(request, model, config, fault);
  checkMachine(request, machine, fault);

  const [firstFault] = faults;
  if (firstFault !== undefined || template === undefined)
    throw new AppError({
      code: "invalid_request",
      message: firstFault?.msg ?? "The request is not valid.",
      details: faults,
    });
  const limits = mergeLimits(template.limits, request.limits);
  return {
    request: {
      ...request,
      agent,
      template: name,
      model: model === null ? null : modelName(model),
      egress,
    },
    limits: {
      ...limits,
      cpus: Math.min(limits.cpus, machine.cpus),
      memory_bytes: Math.min(limits.memory_bytes, machine.memory_bytes),
    },
  };
}

/** `auto` is the native agent where a model is configured, else the script agent for a prompt that is a script. */
function settleAgent(
  request: Pick<JobRequest, "agent" | "model" | "prompt">,
  circumstances: Circumstances,
  fault: Fault,
): { agent: string; model: ChosenModel | null } {
  const { config } = circumstances;
  const { agent, prompt } = request;
  const cli = cliOf(agent, config);
  if (agent === "auto") {
    const model = chooseModel(request.model, null, circumstances);
    if (model !== null) return { agent: "native", model };
    const script = scriptFault(prompt);
    if (request.model !== null)
      fault(["model"], `No provider of models is configured: ${CONFIGURE_A_MODEL}.`, "no_model");
    else if (script !== null)
      fault(
        ["prompt"],
        `${script} No model is configured that could work from plain words: ${CONFIGURE_A_MODEL}. Or add \`\`\`sh, \`\`\`python or \`\`\`js blocks.`,
        "no_model",
      );
    return { agent: "script", model: null };
  }
  if (agent === "script") {
    const script = scriptFault(prompt);
    if (script !== null)
      fault(["prompt"], `${script} Add \`\`\`sh, \`\`\`python or \`\`\`js blocks.`, "no_steps");
    if (request.model !== null)
      fault(["model"], "The script agent uses no model; leave it out, or choose another agent.", "no_model");
    return { agent, model: null };
  }
  if (agent !== "native" && cli === null) {
    const all = ["auto", ...agentViews(config).map(({ name }) => name)];
    fault(
      ["agent"],
      `There is no agent ${JSON.stringify(agent)}; there are: ${all.join(", ")}.`,
      "unknown_agent",
    );
    return { agent, model: null };
  }
  const model = chooseModel(request.model, cli?.protocol ?? null, circumstances);
  if (model === null) {
    const kind = cli === null ? "" : ` that speaks the ${cli.protocol} protocol`;
    const no_default = circumstances.providers.some((one) => cli === null || one.protocol === cli.protocol);
    fault(
      ["model"],
      no_default
        ? `No model is named, and none of the configured providers has a default one: give \`model\`, or set default_model in config.json.`
        : `The agent ${agent} needs a model${kind}, and no provider is configured: ${CONFIGURE_A_MODEL}.`,
      "no_model",
    );
  }
  return { agent, model };
}

/** Without a policy of its own a job has the template's, and its hosts beside those of the template. */
function settleEgress(
  given: { policy: Egress["policy"] | null; hosts: string[] },
  template: Egress | undefined,
  fault: Fault,
): Egress {
  const own = given.policy !== null;
  const policy = given.policy ?? template?.policy ?? "packages";
  const hosts = own ? given.hosts : [...(template?.hosts ?? []), ...given.hosts];
  const lower = [...new Set(hosts.map((host) => host.toLowerCase()))];
  if (policy === "none" && given.hosts.length > 0)
    fault(
      ["egress", "hosts"],
      "The egress policy is none, so no host can be opened; choose `allow` for these hosts alone.",
      "conflict",
    );
  return { policy, hosts: policy === "none" ? [] : lower };
}

function checkBudget(
  { budget }: Pick<JobRequest, "budget">,
  model: ChosenModel | null,
  config: Config,
  fault: Fault,
): void {
  if (budget.max_cost_usd === null || model === null) return;
  const { input_usd_per_million, output_usd_per_million } = modelInfo(
    config.models,
    model.provider.name,
    model.model,
  );
  if (input_usd_per_million !== null && output_usd_per_million !== null) return;
  const name = modelName(model);
  fault(
    ["budget", "max_cost_usd"],
    `The price of ${name} is not known, so its cost cannot be bounded: add models["${name}"] with its prices to config.json, or use max_tokens.`,
    "no_price",
  );
}

function checkMachine({ limits }: Pick<JobRequest, "limits">, machine: DriverInfo, fault: Fault): void {
  for (const [field, has, unit] of [
    ["cpus", machine.cpus, "cores"],
    ["memory_bytes", machine.memory_bytes, "bytes of memory"],
  ] as const) {
    const wanted = limits[field];
    if (wanted !== undefined && wanted > has)
      fault(["limits", field], `This machine has ${has} ${unit}, not ${wanted}.`, "less_than_equal");
  }
}

/** Why the script agent cannot work on this prompt; null when it can. */
function scriptFault(prompt: string): string | null {
  try {
    if (parseScript(prompt).length > 0) return null;
  } catch (error) {
    if (error instanceof AppError) return error.message;
    throw error;
  }
  return "The prompt has no fenced block to run.";
}
