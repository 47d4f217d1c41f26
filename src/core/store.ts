import type { Event, EventBody, EventType, RunnerEvent } from "../contract/event.ts";
import type {
  AdmittedRequest,
  JobResult,
  OpenApproval,
  Phase,
  Reason,
  Status,
  Usage,
} from "../contract/job.ts";
import type { Limits } from "../contract/limits.ts";
import type { SandboxId } from "./driver.ts";

/** What changes of a job while it lives. All in one row, so that one transaction holds a change and its events. */
export type JobState = {
  status: Status;
  phase: Phase;
  reason: Reason | null;
  /** Why the job is ending; set on entering `packing`, and becomes status and reason when the ZIP is there. */
  ending: { status: Extract<Status, "complete" | "error" | "cancelled">; reason: Reason | null } | null;
  cancel_requested: boolean;
  sandbox_id: SandboxId | null;
  volume: string | null;
  image: { reference: string; digest: string } | null;
  link_secret: string | null;
  /** Epoch of the runner that was started, or whose events were stored last, and the highest n that is stored of it. */
  runner_epoch: string | null;
  runner_n: number;
  starting_at: string | null;
  started_at: string | null;
  packing_at: string | null;
  ended_at: string | null;
  usage: Usage;
  result: JobResult | null;
  /** Questions that wait for a person, and the newest of those that were answered. */
  approvals: (OpenApproval & { key: string; opens: string | null })[];
  answered: { key: string; n: number; decision: "allow" | "deny" }[];
  /** How many questions there were. */
  approvals_asked: number;
  /** Hosts that were opened for this job while it ran. */
  opened_hosts: string[];
  /** The agent has answered and waits for a further message. */
  lingering: boolean;
  /** How often a fresh sandbox took the work of a dead one over. */
  takeovers: number;
};

/** A job as it is stored: what never changes, and its state. `env` is in the request and leaves the store only for the sandbox. */
export type JobRecord = {
  job_id: string;
  owner: string;
  scheduled_at: string;
  request: AdmittedRequest;
  limits: Limits;
  retry_of: string | null;
  /** True when files or an archive came with the job; they lie in the artifact store. */
  has_upload: boolean;
  state: JobState;
};

export type JobsFilter = {
  status?: Status | undefined;
  label?: { name: string; value: string | null } | undefined;
  /** Case-insensitive part of the prompt. */
  text?: string | undefined;
};

export type EventsWanted = {
  types?: readonly EventType[] | undefined;
  /** Leaves these out; used where no `types` are given. */
  without?: readonly EventType[] | undefined;
};

/** Which events of a job: the first `limit` with `after` < seq < `before`. */
export type EventsFilter = EventsWanted & { after: number; before?: number | undefined; limit: number };

/** A page of a job's events: the last `limit` with seq < `before`. */
export type EventsPage = EventsWanted & { before: number; limit: number };

/** Which events of all jobs: the first `limit` with a cursor above `after`. */
export type AllEventsFilter = EventsWanted & {
  after: number;
  limit: number;
  /** Gives `step.output`, where it is wanted at all, of these jobs only. */
  output_of?: readonly string[] | undefined;
};

/** An event as its readers get it. `json` is exactly what JSON.stringify makes of the Event. */
export type EventLine = { seq: number; cursor: number; type: EventType; json: string };

/** A way in: a token that a program bears, or a browser that was signed in. Of its secret only the hash is kept. */
export type SignInRecord = {
  token_id: string;
  kind: "token" | "browser";
  name: string;
  /** SHA-256 of the secret, in hexadecimal digits. */
  secret_sha256: string;
  made_at: string;
  last_used_at: string | null;
  expires_at: string | null;
  /** What a browser was signed in by, and ends with: the `token_id` of a token, or the mark of the installation's own token. */
  made_by: string | null;
};

/** Remembers who may come in. Each method is one transaction. */
export interface SignInStore {
  /** All of them, oldest first. */
  signIns(): Promise<SignInRecord[]>;
  insertSignIn(record: SignInRecord): Promise<void>;
  /** Those that are not there are passed over. */
  markSignInsUsed(used: readonly Pick<SignInRecord, "token_id" | "last_used_at">[]): Promise<void>;
  /** Those that are not there are passed over. */
  removeSignIns(token_ids: readonly string[]): Promise<void>;
}

/** Remembers jobs, events and sign-ins. Each method is one transaction. */
export interface Store extends SignInStore {
  /**
   * Inserts a job with its first events. With an idempotency key that is known, inserts nothing and returns the job that has it;
   * `fresh` tells which. Throws AppError `idempotency_mismatch` when the key came with another fingerprint.
   */
  insertJob(
    job: JobRecord,
    events: EventBody[],
    idempotency: { key: string; fingerprint: string } | null,
  ): Promise<{ job: JobRecord; fresh: boolean; events: Event[] }>;
  getJob(job_id: string): Promise<JobRecord | null>;
  /** True when the job was there once and retention removed it. */
  wasRemoved(job_id: string): Promise<boolean>;
  /**
   * Newest first, with the first PROMPT_LISTED_MAX_CHARS of each prompt and without env, so that a page stays small. The cursor is opaque;
   * null at the end. Throws AppError `invalid_request` for a cursor that is not ours.
   */
  listJobs(
    filter: JobsFilter,
    limit: number,
    cursor: string | null,
  ): Promise<{ jobs: JobRecord[]; next_cursor: string | null }>;
  /** All jobs that have not ended, oldest first. */
  unendedJobs(): Promise<JobRecord[]>;
  /** Changes a job and appends events, in one transaction; numbers them, at the time given. Returns them as stored. */
  append(job_id: string, at: string, change: Partial<JobState>, events: EventBody[]): Promise<Event[]>;
  /**
   * The same for events of a runner: those of (job, epoch, n) that are stored already are skipped, so asking again never doubles one.
   * Moves runner_epoch and runner_n along. The runner's own clock is not trusted: `at` is ours.
   */
  appendFromRunner(
    job_id: string,
    at: string,
    epoch: string,
    events: RunnerEvent[],
    change: Partial<JobState>,
  ): Promise<Event[]>;
  readEvents(job_id: string, filter: EventsFilter): Promise<Event[]>;
  /** The same as text: what only passes through need not be taken apart. */
  readEventLines(job_id: string, filter: EventsFilter): Promise<EventLine[]>;
  readAllEventLines(filter: AllEventsFilter): Promise<EventLine[]>;
  /** The seq of the first event of a page. Null when there are fewer than the page holds. */
  pageStart(job_id: string, page: EventsPage): Promise<number | null>;
  /** The phase of a job, and nothing else of it. Null when there is no such job. */
  phase(job_id: string): Promise<Phase | null>;
  /** The newest event of this type; null when there was none. */
  lastEvent<T extends EventType>(job_id: string, type: T): Promise<Extract<Event, { type: T }> | null>;
  /** Cursor of the newest event of all jobs, 0 when there is none. */
  lastCursor(): Promise<number>;
  /** Ended jobs that ended before `before`, oldest first, at most `limit`. */
  expiredJobs(before: string, limit: number): Promise<string[]>;
  /** Removes at most `slice` events of a job; once none is left the job itself, remembering that it was there. True when all is gone. */
  removeJobSlice(job_id: string, slice: number): Promise<boolean>;
  [Symbol.asyncDispose](): Promise<void>;
}
