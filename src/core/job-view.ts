import type { Agent, Template } from "../contract/api.ts";
import type { Config } from "../contract/config.ts";
import type { Job } from "../contract/job.ts";
import { elapsedMs } from "./clock.ts";
import { egressOf } from "./opened-hosts.ts";
import type { JobRecord } from "./store.ts";

/** A job as people see it: everything but env, link and sandbox. */
export function jobView(record: JobRecord): Job {
  const { job_id, request, state } = record;
  return {
    job_id,
    status: state.status,
    phase: state.phase,
    reason: state.reason,
    prompt: request.prompt,
    agent: request.agent,
    template: request.template,
    model: request.model,
    limits: record.limits,
    egress: egressOf(record),
    budget: request.budget,
    approval: request.approval,
    approvals: state.approvals.map(({ key: _key, opens: _opens, ...open }) => open),
    linger_s: request.linger_s,
    labels: request.labels,
    priority: request.priority,
    patch: request.patch,
    retry_of: record.retry_of,
    timings: {
      scheduled_at: record.scheduled_at,
      started_at: state.started_at,
      ended_at: state.ended_at,
      queued_ms: elapsedMs(record.scheduled_at, state.starting_at ?? state.packing_at),
      starting_ms: elapsedMs(state.starting_at, state.started_at ?? state.packing_at),
      working_ms: elapsedMs(state.started_at, state.packing_at),
      packing_ms: elapsedMs(state.packing_at, state.ended_at),
    },
    usage: state.usage,
    links: {
      status: `/status/${job_id}`,
      events: `/jobs/${job_id}/events`,
      logs: `/jobs/${job_id}/logs`,
      files: `/jobs/${job_id}/files`,
      messages: `/jobs/${job_id}/messages`,
      desktop: `/jobs/${job_id}/desktop`,
      jupyter: `/jobs/${job_id}/jupyter/`,
      terminal: `/jobs/${job_id}/terminal`,
      ports: `/jobs/${job_id}/ports`,
      cancel: `/cancel/${job_id}`,
      download: `/download/${job_id}`,
    },
    result: state.result,
  };
}

export function templateViews({ templates, default_template }: Config): Template[] {
  return Object.entries(templates).map(([name, { image, description, limits, egress }]) => ({
    name,
    image,
    description,
    limits,
    egress,
    default: name === default_template,
  }));
}

/** Those that come with Sealwork, then the agent CLIs of the configuration. */
export function agentViews({ agents }: Pick<Config, "agents">): Agent[] {
  const own = { protocol: null, template: null };
  return [
    { name: "script", needs_model: false, ...own },
    { name: "native", needs_model: true, ...own },
    ...Object.entries(agents).map(([name, { protocol, template }]) => ({
      name,
      needs_model: true,
      protocol,
      template,
    })),
  ];
}
