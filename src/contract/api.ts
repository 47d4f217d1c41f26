import { z } from "zod";
import { EVENT_TYPES } from "./event.ts";
import { Egress, EgressHost, Job, JobId, Status } from "./job.ts";
import { Limits } from "./limits.ts";
import { MESSAGE_MAX_CHARS } from "./link.ts";
import { FilesUnpacked, FileWritten } from "./link-answers.ts";
import { PROTOCOLS } from "./models.ts";

/** CLI and server tell each other their version in this header. */
export const VERSION_HEADER = "x-sealwork-version";

/** Bounds of the HTTP interface. */
export const JSON_BODY_MAX_BYTES = 4 * 1024 * 1024;
/** What an uploaded archive may become when unpacked, and how many entries it may have. */
export const UPLOAD_UNPACKED_MAX_BYTES = 8 * 1024 * 1024 * 1024;
export const UPLOAD_ENTRIES_MAX = 50_000;
/** A member that unpacks to more than this many times its packed size, and is larger than 64 MiB, is refused. */
export const UPLOAD_RATIO_MAX = 200;
export const IDEMPOTENCY_KEY_MAX_CHARS = 255;
export const DOWNLOAD_WAIT_MS = 30_000;
export const EVENTS_HEARTBEAT_MS = 15_000;

export const ScheduleAnswer = z.object({ job_id: JobId, status: Status, links: Job.shape.links });
export type ScheduleAnswer = z.infer<typeof ScheduleAnswer>;

export const CancelAnswer = z.object({ job_id: JobId, status: Status, cancelled: z.boolean() });
export type CancelAnswer = z.infer<typeof CancelAnswer>;

export const JobsQuery = z.strictObject({
  status: Status.optional(),
  /** `name` or `name=value`. */
  label: z.string().max(400).optional(),
  text: z.string().max(200).optional(),
  limit: z.coerce.number().int().min(1).max(500).default(50),
  cursor: z.string().max(200).optional(),
});
export type JobsQuery = z.infer<typeof JobsQuery>;

export const JobsAnswer = z.object({ jobs: z.array(Job), next_cursor: z.string().nullable() });
export type JobsAnswer = z.infer<typeof JobsAnswer>;

/** A query parameter that is on by `true`, `1` or nothing at all, off by `false` or `0`. */
export const flag = z
  .enum(["", "true", "1", "false", "0"])
  .transform((word) => word !== "false" && word !== "0");

const types = z
  .string()
  .transform((text) => text.split(",").filter((word) => word !== ""))
  .pipe(z.array(z.enum(EVENT_TYPES)));

export const EventsQuery = z.strictObject({
  after: z.coerce.number().int().min(0).optional(),
  types: types.optional(),
  follow: flag.optional(),
});
export type EventsQuery = z.infer<typeof EventsQuery>;

/** How many events one page of a job's events has at most. */
export const EVENTS_PAGE_MAX = 10_000;
/** Of one job: from an event on, or a page of those before one. */
export const JobEventsQuery = EventsQuery.extend({
  before: z.coerce.number().int().min(1).optional().meta({
    description:
      "Only events before this seq; with `limit` the newest of them. Still in ascending order. Ends there.",
  }),
  limit: z.coerce.number().int().min(1).max(EVENTS_PAGE_MAX).optional().meta({
    description:
      "At most so many events: the first after `after`, or with `before` the last before it. Ends there.",
  }),
});
export type JobEventsQuery = z.infer<typeof JobEventsQuery>;

export const OUTPUT_OF_MAX = 64;
/** Of all jobs. */
export const AllEventsQuery = EventsQuery.extend({
  output_of: z
    .string()
    .transform((text) => text.split(",").filter((id) => id !== ""))
    .pipe(z.array(JobId).max(OUTPUT_OF_MAX))
    .optional()
    .meta({ description: "Jobs whose `step.output` is told too; with `types` only when that names it." }),
});
export type AllEventsQuery = z.infer<typeof AllEventsQuery>;

export const LogsQuery = z.strictObject({
  follow: flag.optional(),
  stream: z.enum(["stdout", "stderr"]).optional(),
  step: z.coerce.number().int().min(1).optional(),
});
export type LogsQuery = z.infer<typeof LogsQuery>;

export const Template = z.object({
  name: z.string(),
  image: z.string(),
  description: z.string(),
  limits: Limits,
  egress: Egress,
  default: z.boolean(),
});
export type Template = z.infer<typeof Template>;
export const TemplatesAnswer = z.object({ templates: z.array(Template) });

/** A provider of models, without its key. */
export const Provider = z.object({
  name: z.string(),
  protocol: z.enum(PROTOCOLS),
  base_url: z.string(),
  has_key: z.boolean(),
  default_model: z.string().nullable(),
});
export type Provider = z.infer<typeof Provider>;
export const ProvidersAnswer = z.object({
  providers: z.array(Provider),
  default_model: z
    .string()
    .nullable()
    .meta({ description: "`provider/model`; null when no model is configured." }),
});
export type ProvidersAnswer = z.infer<typeof ProvidersAnswer>;

/** Who can work on a job. */
export const Agent = z.object({
  name: z.string(),
  needs_model: z.boolean(),
  protocol: z
    .enum(PROTOCOLS)
    .nullable()
    .meta({ description: "The one in which its model must be spoken to; null means any, or none." }),
  template: z.string().nullable().meta({ description: "Its own; null: it works in any." }),
});
export type Agent = z.infer<typeof Agent>;
export const AgentsAnswer = z.object({ agents: z.array(Agent) });
export type AgentsAnswer = z.infer<typeof AgentsAnswer>;

export const MessageRequest = z.strictObject({
  text: z
    .string()
    .max(MESSAGE_MAX_CHARS)
    .refine((text) => text.trim() !== "", "The message is empty.")
    .refine((text) => !text.includes("\0"), "The message contains a NUL character."),
});
export const MessageAnswer = z.object({ job_id: JobId, accepted: z.literal(true) });
export type MessageAnswer = z.infer<typeof MessageAnswer>;

export const ApprovalRequest = z.strictObject({ decision: z.enum(["allow", "deny"]) });
export const ApprovalAnswer = z.object({ job_id: JobId, n: z.int(), decision: z.enum(["allow", "deny"]) });
export type ApprovalAnswer = z.infer<typeof ApprovalAnswer>;

export const EgressRequest = z.strictObject({ host: EgressHost });
export const EgressAnswer = z.object({ job_id: JobId, egress: Egress });
export type EgressAnswer = z.infer<typeof EgressAnswer>;

/** Paths in these answers and requests are relative to the root that the query names. */
export const FileAnswer = FileWritten.extend({ path: z.string() });
export const FilesAnswer = z.object({ files: z.array(FileAnswer) });
export type FilesAnswer = z.infer<typeof FilesAnswer>;
export const FolderAnswer = z.object({ path: z.string() });
export const MoveRequest = z.strictObject({
  path: z.string().meta({ description: "Where it goes; its folders are made." }),
});
export const UnpackAnswer = FilesUnpacked;

/** Where in a preview its address leads. */
export const OpenQuery = z.strictObject({
  path: z
    .string()
    .max(2000)
    .regex(/^\/[\x21-\x5b\x5d-\x7e]*$/, "It begins with / and is percent-encoded.")
    .optional(),
});
export const OpenAnswer = z.object({
  url: z
    .string()
    .meta({ description: "For one tab or one frame, once, within 30 s; it is then open there." }),
});
export type OpenAnswer = z.infer<typeof OpenAnswer>;

/** One line of `sealwork doctor`. */
export const Check = z.object({
  name: z.string(),
  state: z.enum(["ok", "warning", "failed"]),
  message: z.string(),
  hint: z.string().nullable(),
});
export type Check = z.infer<typeof Check>;
export const DoctorAnswer = z.object({ ok: z.boolean(), checks: z.array(Check) });
export type DoctorAnswer = z.infer<typeof DoctorAnswer>;

export const HealthAnswer = z.object({ status: z.literal("ok"), version: z.string() });
export const RootAnswer = z.object({ message: z.string(), version: z.string(), docs: z.string() });

/** What stands in the lock file of a state folder: who holds it. */
export const Holder = z.object({
  url: z.string(),
  pid: z.int(),
  version: z.string(),
  started_at: z.string(),
  /** True when a CLI started it in the background, so that a CLI may also restart it. */
  background: z.boolean(),
  /** Names of the variables of PROVIDER_VARIABLES that its environment has. */
  providers: z.array(z.string()).default([]),
});
export type Holder = z.infer<typeof Holder>;
