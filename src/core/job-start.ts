import { AppError } from "../contract/errors.ts";
import type { Start } from "../contract/link.ts";
import type { Dependencies } from "./dependencies.ts";
import { chooseModel, modelAccess, modelName } from "./models.ts";
import type { JobRecord } from "./store.ts";

/**
 * What the runner of a job is told at its start, all but whether it takes over. Throws AppError `model_unavailable` when the provider that
 * the job was scheduled with is configured no more.
 */
export async function startOf(
  { job_id, request, limits }: Pick<JobRecord, "job_id" | "request" | "limits">,
  secret: string,
  dependencies: Pick<Dependencies, "config" | "providers" | "network">,
): Promise<Omit<Start, "resume">> {
  const { config } = dependencies;
  const { agent, prompt, env, model, approval, linger_s, egress } = request;
  const network = await dependencies.network();
  return {
    job_id,
    secret,
    agent,
    prompt,
    model: model === null ? null : accessTo(model, dependencies),
    cli: (Object.hasOwn(config.agents, agent) ? config.agents[agent] : undefined) ?? null,
    approval: approval.policy,
    linger_s,
    network: { ...network, egress: egress.policy !== "none" },
    egress,
    env,
    limits,
  };
}

function accessTo(wanted: string, { config, providers }: Pick<Dependencies, "config" | "providers">) {
  const chosen = chooseModel(wanted, null, { config, providers });
  if (chosen !== null && modelName(chosen) === wanted) return modelAccess(chosen, config);
  throw new AppError({
    code: "model_unavailable",
    message: `The job was scheduled with the model ${wanted}, whose provider is configured no more.`,
    hint: "Configure the provider again, then retry the job.",
  });
}
