import { z } from "zod";
import { EVENT_MAX_BYTES } from "./event-bounds.ts";
import { EgressPolicy, JobId, OpenApproval, Phase, Reason, Status } from "./job.ts";
import { SERVICES } from "./surfaces.ts";

/** Events kept of one job. A runner that sends more breaks the rules of the link. */
export const EVENTS_MAX_PER_JOB = 5_000_000;

export const Sha256 = z.string().regex(/^[0-9a-f]{64}$/);
const shortText = z.string().max(4000);
const path = z.string().min(1).max(4096);
const step = z.int().min(1).meta({ description: "The step's number in its job, from 1." });

/** What carries a step out. `search`, `web`, `think` and `other` are tools of agent CLIs. */
export const StepTool = z.enum([
  "shell",
  "python",
  "js",
  "ts",
  "file",
  "desktop",
  "search",
  "web",
  "think",
  "other",
]);
export type StepTool = z.infer<typeof StepTool>;

/** How a step's process came to its end: its own exit, a signal, the kernel for lack of memory, or us. */
export const StepCause = z.enum([
  "exited",
  "signalled",
  "out_of_memory",
  "cancelled",
  "timed_out",
  "not_started",
  "reaper_lost",
]);
export type StepCause = z.infer<typeof StepCause>;

/** What a runner may say. The orchestrator validates each against this and adds seq, at and job_id. */
const fromRunner = {
  "step.started": z.object({
    step,
    tool: StepTool,
    title: shortText.meta({
      description: "One line for people: the first line of the code, or the file's path.",
    }),
    code: z
      .string()
      .max(16 * 1024)
      .meta({ description: "What runs; cut when longer, then code_blob has it all." }),
    code_blob: Sha256.nullable(),
  }),
  "step.output": z.object({
    step,
    stream: z.enum(["stdout", "stderr"]),
    encoding: z.enum(["utf8", "base64"]),
    data: z.string().max(40 * 1024),
  }),
  "step.ended": z.object({
    step,
    cause: StepCause,
    exit_code: z.int().nullable(),
    signal: z.string().max(16).nullable(),
    message: shortText.nullable().meta({ description: "Why, when the cause alone does not say it." }),
    duration_ms: z.number().min(0),
    ok: z.boolean(),
  }),
  "step.displayed": z.object({
    step,
    mime: z
      .string()
      .max(100)
      .meta({ description: "Such as image/png or text/html; never rendered as a page of ours." }),
    blob: Sha256.nullable(),
    text: z
      .string()
      .max(16 * 1024)
      .nullable()
      .meta({ description: "What to show where the blob cannot be; may be cut." }),
  }),
  "plan.made": z.object({
    steps: z
      .array(z.object({ title: shortText, state: z.enum(["pending", "active", "done"]).default("pending") }))
      .max(1000),
    files: z
      .array(shortText)
      .max(200)
      .default([])
      .meta({ description: "Files that the work is expected to leave." }),
    checks: z
      .array(z.object({ title: shortText, command: shortText }))
      .max(50)
      .default([])
      .meta({ description: "How the result will be checked." }),
  }),
  "agent.waiting": z.object({
    summary: z.string().max(16 * 1024),
    linger_s: z.number().min(0),
  }),
  "conversation.compacted": z.object({
    tokens_before: z.number().min(0),
    tokens_after: z.number().min(0),
    turns: z.int().min(0).meta({ description: "How many turns became a summary." }),
  }),
  "message.said": z.object({ from: z.enum(["agent", "person"]), text: z.string().max(32 * 1024) }),
  "file.changed": z.object({
    path,
    change: z.enum(["created", "modified", "deleted"]),
    size_bytes: z.number().min(0),
    blob: Sha256.nullable().meta({ description: "The whole content, where it was kept." }),
    diff: z
      .string()
      .max(16 * 1024)
      .nullable()
      .default(null)
      .meta({ description: "Unified diff; cut when longer, then diff_blob has it all." }),
    diff_blob: Sha256.nullable().default(null),
  }),
  "screen.captured": z.object({
    blob: Sha256.meta({ description: "A PNG." }),
    width: z.int().min(1).max(16_384),
    height: z.int().min(1).max(16_384),
    step: z
      .int()
      .min(1)
      .nullable()
      .meta({ description: "The desktop step it was taken after; null: somebody watched." }),
  }),
  "service.started": z.object({ service: z.enum(SERVICES), duration_ms: z.number().min(0) }),
  "service.ended": z.object({
    service: z.enum(SERVICES),
    cause: z.enum(["idle", "failed", "job_end"]),
    message: shortText
      .nullable()
      .meta({ description: "For `failed`: which part, how it ended, and the last that it printed." }),
  }),
  "port.opened": z.object({ port: z.int().min(1).max(65_535), process: z.string().max(256).nullable() }),
  "port.closed": z.object({ port: z.int().min(1).max(65_535) }),
  "limit.reached": z.object({
    limit: z.enum(["output", "disk", "memory", "pids", "events", "blobs", "files"]),
    message: shortText,
    limit_value: z.number().nullable(),
    value: z.number().nullable(),
  }),
  "metrics.sampled": z.object({
    cpu_ms: z.number().min(0),
    memory_bytes: z.number().min(0),
    memory_peak_bytes: z.number().min(0),
    disk_bytes: z.number().min(0).nullable(),
    pids: z.number().min(0),
  }),
  "agent.ended": z.object({
    outcome: z.enum(["complete", "failed", "stopped"]),
    reason: Reason.nullable(),
    exit_code: z.int().nullable(),
    summary: z.string().max(16 * 1024),
  }),
} as const;

/** What the orchestrator alone may say. */
const fromOrchestrator = {
  "job.scheduled": z.object({ prompt: z.string().max(2000), agent: z.string(), template: z.string() }),
  "job.started": z.object({}),
  "phase.changed": z.object({ phase: Phase, status: Status }),
  "job.ended": z.object({ status: Status, reason: Reason.nullable(), summary: z.string() }),
  "image.progress": z.object({ line: shortText }),
  "sandbox.started": z.object({ sandbox_id: z.string(), image_digest: z.string() }),
  "sandbox.linked": z.object({ sandbox_id: z.string(), epoch: z.string(), relinked: z.boolean() }),
  "sandbox.replaced": z.object({ sandbox_id: z.string(), by: z.string(), reason: shortText }),
  "cancel.requested": z.object({}),
  "model.called": z.object({
    provider: z.string(),
    model: z.string(),
    outcome: z.enum(["ok", "refused", "cut", "failed"]).meta({
      description: "ok; refused: the provider said no; cut: the answer broke off; failed: no answer came.",
    }),
    http_status: z.int().nullable(),
    attempts: z.int().min(1),
    input_tokens: z.int().min(0),
    cached_tokens: z.int().min(0).meta({ description: "Of the input, those that came from a cache." }),
    output_tokens: z.int().min(0),
    estimated: z
      .boolean()
      .meta({ description: "True when the provider did not say how many tokens it were." }),
    cost_usd: z.number().min(0).nullable().meta({ description: "Null for a model without a price." }),
    duration_ms: z.number().min(0),
  }),
  "egress.denied": z.object({
    host: shortText,
    port: z.int(),
    rule: z.enum([
      "policy",
      "address",
      "name",
      "resolution",
      "host_mismatch",
      "limit",
      "approval",
      "request",
    ]),
    policy: EgressPolicy,
    count: z.int().min(1).meta({ description: "How often since the last event of this kind." }),
    message: shortText,
  }),
  "egress.opened": z.object({ host: shortText, by: z.enum(["request", "approval"]) }),
  "approval.asked": z.object({
    n: z.int().min(1),
    kind: OpenApproval.shape.kind,
    title: shortText,
    detail: z.string().max(8000),
    expires_at: z.iso.datetime().nullable(),
  }),
  "approval.given": z.object({
    n: z.int().min(1),
    decision: z.enum(["allow", "deny"]),
    by: z.enum(["person", "timeout", "job_end"]),
  }),
  "control.changed": z.object({
    held_by: z
      .string()
      .max(100)
      .nullable()
      .meta({ description: "Who drives the desktop now; null: the agent may." }),
    cause: z.enum(["taken", "given_back", "left"]),
  }),
  "artifact.packed": z.object({
    size_bytes: z.number(),
    sha256: Sha256,
    files: z.number(),
    left_out: z.number(),
  }),
} as const;

export const RUNNER_EVENTS = fromRunner;
export type RunnerEventType = keyof typeof fromRunner;

type Variant<T extends Record<string, z.ZodType>> = {
  [K in keyof T]: { type: K; data: z.infer<T[K]> };
}[keyof T];

/** The content of an event, before it has a place in a job. */
export type RunnerEventBody = Variant<typeof fromRunner>;
export type EventBody = Variant<typeof fromRunner> | Variant<typeof fromOrchestrator>;
export type EventType = EventBody["type"];

/** An event of a job: numbered without gaps from 1, never changed. `cursor` numbers the events of all jobs. */
export type Event = EventBody & { seq: number; cursor: number; job_id: string; at: string };

const all = { ...fromRunner, ...fromOrchestrator };
export const EVENT_TYPES = Object.keys(all) as [EventType, ...EventType[]];

const variants = Object.entries(all).map(([type, data]) =>
  z.object({
    seq: z.int().min(1),
    cursor: z.int().min(1),
    job_id: JobId,
    at: z.iso.datetime(),
    type: z.literal(type),
    data,
  }),
);
const [first, ...others] = variants;
if (first === undefined) throw new Error("There are no event types.");
/** The wire form of an event, for validation and OpenAPI; the static type is `Event`. */
export const Event = z.discriminatedUnion("type", [first, ...others]).meta({ id: "Event" });

/** An event as a runner sends it over the link: `n` counts from 1 within `epoch`, `at` is the sandbox's clock. */
export type RunnerEvent = RunnerEventBody & { n: number; at: string };

const envelope = z.object({ n: z.int().min(1), at: z.iso.datetime(), type: z.string(), data: z.unknown() });

/** Takes one line of a runner apart. Returns null when it is not a valid event: the runner broke the rules. */
export function parseRunnerEvent(line: string): RunnerEvent | null {
  if (Buffer.byteLength(line) > EVENT_MAX_BYTES) return null;
  let json: unknown;
  try {
    json = JSON.parse(line);
  } catch {
    return null;
  }
  const outer = envelope.safeParse(json);
  if (!outer.success || !Object.hasOwn(fromRunner, outer.data.type)) return null;
  const type = outer.data.type as RunnerEventType;
  const data = fromRunner[type].safeParse(outer.data.data);
  if (!data.success) return null;
  return { n: outer.data.n, at: outer.data.at, type, data: data.data } as RunnerEvent;
}

/** The bytes that a step wrote. */
export function decodeOutput(data: { encoding: "utf8" | "base64"; data: string }): Buffer {
  return Buffer.from(data.data, data.encoding);
}
