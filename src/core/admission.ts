import type { Config } from "../contract/config.ts";
import type { ErrorDetail } from "../contract/error-body.ts";
import { AppError } from "../contract/errors.ts";
import { Approval, Budget, Egress, type JobRequest } from "../contract/job.ts";
import { type Limits, mergeLimits } from "../contract/limits.ts";
import { parseScript } from "../contract/script.ts";
import type { DriverInfo } from "./driver.ts";

/** Agents of this version. `auto` picks: without a model that is the script agent. */
const AGENTS = ["auto", "script"];

/** What a later version will take: the field, and the only value until then. */
const NOT_YET = {
  model: null,
  egress: Egress.parse({}),
  budget: Budget.parse({}),
  approval: Approval.parse({}),
  linger_s: 0,
} satisfies Partial<Record<keyof JobRequest, unknown>>;

/**
 * Judges a well-formed request against templates, agents and what the machine has. Returns the limits that hold for the job.
 * Throws AppError `invalid_request` with every fault found, each naming its field.
 */
export function admit(request: JobRequest, config: Config, machine: DriverInfo): Limits {
  const faults: ErrorDetail[] = [];
  const fault = (loc: (string | number)[], msg: string, type: string) =>
    faults.push({ loc: ["body", ...loc], msg, type });

  // A name such as `constructor` is found on every object, but is no template.
  const known = Object.hasOwn(config.templates, request.template);
  const template = known ? config.templates[request.template] : undefined;
  if (template === undefined)
    fault(
      ["template"],
      `There is no template ${JSON.stringify(request.template)}; there are: ${Object.keys(config.templates).join(", ")}.`,
      "unknown_template",
    );
  if (!AGENTS.includes(request.agent))
    fault(
      ["agent"],
      `There is no agent ${JSON.stringify(request.agent)}; there are: ${AGENTS.join(", ")}.`,
      "unknown_agent",
    );
  for (const [field, only] of Object.entries(NOT_YET)) {
    if (JSON.stringify(request[field as keyof JobRequest]) !== JSON.stringify(only))
      fault(
        [field],
        `This version takes only ${JSON.stringify(only)} for ${field}; leave it out.`,
        "not_available",
      );
  }
  for (const [field, has, unit] of [
    ["cpus", machine.cpus, "cores"],
    ["memory_bytes", machine.memory_bytes, "bytes of memory"],
  ] as const) {
    const wanted = request.limits[field];
    if (wanted !== undefined && wanted > has)
      fault(["limits", field], `This machine has ${has} ${unit}, not ${wanted}.`, "less_than_equal");
  }
  const script = scriptFault(request.prompt);
  if (script !== null) fault(["prompt"], script, "no_steps");

  const [firstFault] = faults;
  if (firstFault !== undefined || template === undefined)
    throw new AppError({
      code: "invalid_request",
      message: firstFault?.msg ?? "The request is not valid.",
      details: faults,
    });
  const limits = mergeLimits(template.limits, request.limits);
  return {
    ...limits,
    cpus: Math.min(limits.cpus, machine.cpus),
    memory_bytes: Math.min(limits.memory_bytes, machine.memory_bytes),
  };
}

/** Why the script agent cannot work on this prompt; null when it can. */
function scriptFault(prompt: string): string | null {
  try {
    if (parseScript(prompt).length > 0) return null;
  } catch (error) {
    if (error instanceof AppError) return error.message;
    throw error;
  }
  return "The prompt has no fenced block to run, and no model is configured that could work from plain words: add ```sh, ```python or ```js blocks.";
}
