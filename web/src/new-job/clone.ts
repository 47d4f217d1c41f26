import type { Template } from "../../../src/contract/api.ts";
import type { Job, JobRequestInput } from "../../../src/contract/job.ts";
import type { Limits } from "../../../src/contract/limits.ts";
import { writeDuration, writeSize } from "../../../src/contract/typed-units.ts";
import { type Draft, EMPTY_DRAFT, type Pair } from "./draft.ts";

/** What the server would choose by itself, so that a clone need not say it. */
export type Defaults = { templates: readonly Template[]; default_model: string | null };

/** A draft of the same job. What the job has from its template or the server stays theirs; files and variables it does not show. */
export function cloneOf(job: Job, { templates, default_model }: Defaults): Draft {
  const template = templates.find(({ name }) => name === job.template);
  const { policy, hosts } = job.egress;
  const own_egress =
    template === undefined ||
    template.egress.policy !== policy ||
    [...template.egress.hosts].sort().join() !== [...hosts].sort().join();
  const limit = (name: keyof Limits, write: (value: number) => string): string =>
    job.limits[name] === template?.limits[name] ? "" : write(job.limits[name]);
  const number = (value: number | null): string => (value === null ? "" : String(value));
  return {
    ...EMPTY_DRAFT,
    prompt: job.prompt,
    agent: job.agent,
    model: job.model === default_model ? "" : (job.model ?? ""),
    template: template?.default === true ? "" : job.template,
    cpus: limit("cpus", String),
    memory: limit("memory_bytes", writeSize),
    disk: limit("disk_bytes", writeSize),
    pids: limit("pids", String),
    timeout: limit("timeout_s", writeDuration),
    idle_timeout: limit("idle_timeout_s", writeDuration),
    egress: own_egress ? policy : "",
    hosts: own_egress ? hosts.join("\n") : "",
    max_tokens: number(job.budget.max_tokens),
    max_cost: number(job.budget.max_cost_usd),
    max_calls: number(job.budget.max_calls),
    approval: job.approval.policy,
    approval_timeout: job.approval.timeout_s === null ? "" : writeDuration(job.approval.timeout_s),
    linger: job.linger_s === 0 ? "" : writeDuration(job.linger_s),
    priority: job.priority === 0 ? "" : String(job.priority),
    labels: Object.entries(job.labels).map(([name, value], key): Pair => ({ key, name, value })),
    patch: job.patch,
  };
}

/** A draft of an example. */
export function draftOf({ prompt, agent, template, linger_s }: JobRequestInput): Draft {
  return {
    ...EMPTY_DRAFT,
    prompt,
    agent: agent ?? EMPTY_DRAFT.agent,
    template: template ?? "",
    linger: linger_s === undefined ? "" : writeDuration(linger_s),
  };
}
