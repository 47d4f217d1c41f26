import { z } from "zod";
import { REASON_CODES } from "./errors.ts";
import { Limits, LimitsInput } from "./limits.ts";

/** Bounds of a request that hold everywhere; what a machine has may be less. */
export const PROMPT_MAX_CHARS = 500_000;
/** What lists of jobs show of a prompt; a page of whole ones could be hundreds of megabytes. */
export const PROMPT_LISTED_MAX_CHARS = 2_000;
export const ENV_MAX_ENTRIES = 256;
export const ENV_MAX_CHARS = 64 * 1024;
export const LABELS_MAX_ENTRIES = 64;

export const JobId = z
  .uuid()
  .meta({ description: "A UUID; the server makes version 7, which sorts by age." });

export const Status = z.enum(["pending", "running", "complete", "error", "cancelled"]);
export type Status = z.infer<typeof Status>;

export const Phase = z.enum(["queued", "starting", "working", "waiting", "packing", "ended"]);
export type Phase = z.infer<typeof Phase>;

export const Reason = z.object({
  code: z.enum(REASON_CODES),
  message: z.string(),
  hint: z.string(),
});
export type Reason = z.infer<typeof Reason>;

export const EgressPolicy = z.enum(["none", "allow", "packages", "internet"]);
export type EgressPolicy = z.infer<typeof EgressPolicy>;
/** A host by name, `*.` in front for all names below it, and a port when not every port is meant. Addresses are no names. */
export const EgressHost = z
  .string()
  .max(260)
  .regex(
    /^(\*\.)?([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?\.)*(?=[a-z0-9-]*[a-z])[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(:[0-9]{1,5})?$/i,
    "Write a host as example.org, *.example.org or example.org:8443; addresses are not taken.",
  );
export const EGRESS_HOSTS_MAX = 1000;
/** What a sandbox may reach: the hosts, beside what the policy names (`packages`: the registries of the machine). */
export const Egress = z.strictObject({
  policy: EgressPolicy.default("packages"),
  hosts: z.array(EgressHost).max(EGRESS_HOSTS_MAX).default([]),
});
export type Egress = z.infer<typeof Egress>;
/** The same as a caller gives it: no policy means the template's. */
const EgressInput = z.strictObject({
  policy: EgressPolicy.nullable().default(null),
  hosts: Egress.shape.hosts,
});

export const Budget = z.strictObject({
  max_tokens: z.int().positive().nullable().default(null),
  max_cost_usd: z.number().positive().nullable().default(null),
  max_calls: z.int().positive().nullable().default(null),
});
export type Budget = z.infer<typeof Budget>;

/** `risky` asks before a host off the list is opened and whatever an agent CLI asks for; `always` before each step that runs or writes something. */
export const ApprovalPolicy = z.enum(["never", "risky", "always"]);
export const Approval = z.strictObject({
  policy: ApprovalPolicy.default("never"),
  /** Silence for this long means no; null waits as long as the job's clock allows. */
  timeout_s: z
    .number()
    .min(1)
    .max(30 * 24 * 3600)
    .nullable()
    .default(null),
});
export type Approval = z.infer<typeof Approval>;

/** A question that waits for its answer. */
export const OpenApproval = z.object({
  n: z.int().min(1),
  kind: z.enum(["egress", "step", "permission"]),
  title: z.string(),
  detail: z.string(),
  asked_at: z.iso.datetime(),
  expires_at: z.iso.datetime().nullable(),
});
export type OpenApproval = z.infer<typeof OpenApproval>;

const noNul = (text: string) => !text.includes("\0");

/** What `POST /schedule` takes. */
export const JobRequest = z.strictObject({
  prompt: z
    .string()
    .max(PROMPT_MAX_CHARS)
    .refine(
      (text) => text.trim() !== "",
      "The prompt is empty: describe the task or give Markdown with fenced blocks.",
    )
    .refine(noNul, "The prompt contains a NUL character."),
  agent: z.string().min(1).max(64).default("auto"),
  template: z
    .string()
    .min(1)
    .max(64)
    .nullable()
    .default(null)
    .meta({ description: "Null takes the agent's own template, else the default one." }),
  model: z
    .string()
    .min(1)
    .max(200)
    .nullable()
    .default(null)
    .meta({ description: "`model` or `provider/model`; null takes the default one." }),
  limits: z.prefault(LimitsInput, {}),
  env: z
    .record(
      z.string().regex(/^[A-Za-z_][A-Za-z0-9_]{0,127}$/),
      z
        .string()
        .max(32 * 1024)
        .refine(noNul),
    )
    .default({})
    .refine((env) => Object.keys(env).length <= ENV_MAX_ENTRIES, `At most ${ENV_MAX_ENTRIES} variables.`)
    .refine(
      (env) =>
        Object.entries(env).reduce((sum, [name, value]) => sum + name.length + value.length, 0) <=
        ENV_MAX_CHARS,
      `At most ${ENV_MAX_CHARS} characters in all.`,
    ),
  labels: z
    .record(z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._/-]{0,62}$/), z.string().max(256))
    .default({})
    .refine(
      (labels) => Object.keys(labels).length <= LABELS_MAX_ENTRIES,
      `At most ${LABELS_MAX_ENTRIES} labels.`,
    ),
  priority: z.int().min(-1000).max(1000).default(0),
  egress: EgressInput.prefault({}),
  budget: Budget.prefault({}),
  approval: Approval.prefault({}),
  linger_s: z
    .number()
    .min(0)
    .max(24 * 3600)
    .default(0),
  patch: z.boolean().default(false),
});
export type JobRequest = z.infer<typeof JobRequest>;
export type JobRequestInput = z.input<typeof JobRequest>;

/** A request that was judged: agent, template, model and egress are settled. */
export type AdmittedRequest = Omit<JobRequest, "template" | "egress"> & { template: string; egress: Egress };

export const Usage = z.object({
  cpu_ms: z.number(),
  memory_peak_bytes: z.number(),
  output_bytes: z.number(),
  model_calls: z.number(),
  input_tokens: z.number(),
  output_tokens: z.number(),
  cost_usd: z.number(),
});
export type Usage = z.infer<typeof Usage>;

export const NO_USAGE: Usage = {
  cpu_ms: 0,
  memory_peak_bytes: 0,
  output_bytes: 0,
  model_calls: 0,
  input_tokens: 0,
  output_tokens: 0,
  cost_usd: 0,
};

/** Times are RFC 3339 UTC with milliseconds. `queued_ms` and the like are wall clock and null until known. */
export const Timings = z.object({
  scheduled_at: z.iso.datetime(),
  started_at: z.iso
    .datetime()
    .nullable()
    .meta({ description: "When the agent began; the job's clock runs from here." }),
  ended_at: z.iso.datetime().nullable(),
  queued_ms: z.number().nullable(),
  starting_ms: z.number().nullable(),
  working_ms: z.number().nullable(),
  packing_ms: z.number().nullable(),
});
export type Timings = z.infer<typeof Timings>;

export const JobLinks = z.object({
  status: z.string(),
  events: z.string(),
  logs: z.string(),
  files: z.string(),
  messages: z.string(),
  desktop: z.string(),
  jupyter: z.string(),
  terminal: z.string(),
  ports: z.string(),
  cancel: z.string(),
  download: z.string(),
});

export const JobResult = z.object({
  summary: z.string(),
  exit_code: z.int().nullable().meta({ description: "Of the step that failed; null when none did." }),
  artifact: z
    .object({ size_bytes: z.number(), sha256: z.string(), files: z.number() })
    .nullable()
    .meta({ description: "The ZIP." }),
});
export type JobResult = z.infer<typeof JobResult>;

/** A job as `GET /status/{id}` and `GET /jobs` show it. Never contains `env`. */
export const Job = z.object({
  job_id: JobId,
  status: Status,
  phase: Phase,
  reason: Reason.nullable(),
  prompt: z.string(),
  agent: z.string(),
  template: z.string(),
  model: z.string().nullable(),
  limits: Limits,
  egress: Egress,
  budget: Budget,
  approval: Approval,
  approvals: z.array(OpenApproval).meta({ description: "Questions that wait for an answer." }),
  linger_s: z.number(),
  labels: z.record(z.string(), z.string()),
  priority: z.number(),
  patch: z.boolean(),
  retry_of: JobId.nullable(),
  timings: Timings,
  usage: Usage,
  links: JobLinks,
  result: JobResult.nullable(),
});
export type Job = z.infer<typeof Job>;
