import { AppError } from "../contract/errors.ts";
import type { Start } from "../contract/link.ts";
import type { Dependencies } from "./dependencies.ts";
import { chooseModel, cliOf, modelAccess, modelName } from "./models.ts";
import { egressOf } from "./opened-hosts.ts";
import type { JobRecord } from "./store.ts";

/**
 * What the runner of a job is told at its start, all but whether it takes over. Throws AppError `model_unavailable` when the provider that
 * the job was scheduled with is configured no more.
 */
export async function startOf(
  record: Pick<JobRecord, "job_id" | "request" | "limits" | "state">,
  secret: string,
  dependencies: Pick<Dependencies, "config" | "providers" | "network">,
): Promise<Omit<Start, "resume">> {
  const { config } = dependencies;
  const { job_id, request, limits } = record;
  const { agent, prompt, env, model, approval, linger_s } = request;
  const egress = egressOf(record);
  const network = await dependencies.network();
  return {
    job_id,
    secret,
    agent,
    prompt,
    model: model === null ? null : accessTo(model, dependencies),
    cli: cliOf(agent, config),
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
