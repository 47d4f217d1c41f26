import type { ColumnType, Generated } from "kysely";

/** The columns as the newest migration leaves them. Times are RFC 3339 UTC with milliseconds, so their text sorts by age. */
export type Tables = {
  jobs: JobsTable;
  requests: RequestsTable;
  listed_requests: ListedRequestsTable;
  labels: LabelsTable;
  events: EventsTable;
  idempotency_keys: IdempotencyKeysTable;
  removed_jobs: RemovedJobsTable;
  sign_ins: SignInsTable;
};

type Fixed<T> = ColumnType<T, T, never>;

/** What changes of a job, small because it is rewritten with every batch of events. `state` is a JobState as JSON. */
type JobsTable = {
  job_id: Fixed<string>;
  owner: string;
  lease_until: string | null;
  scheduled_at: Fixed<string>;
  ended_at: string | null;
  status: string;
  phase: string;
  last_seq: number;
  state: string;
};

/** What never changes of a job and may be large. `details` is all of a JobRecord that has no column, as JSON. */
type RequestsTable = {
  job_id: Fixed<string>;
  details: Fixed<string>;
  /** The prompt as `foldCase` leaves it. */
  prompt_search: Fixed<string>;
};

/** What lists show of a request: the prompt cut short and no env. Missing for a job of the first release. */
type ListedRequestsTable = { job_id: Fixed<string>; details: Fixed<string> };

type LabelsTable = { job_id: Fixed<string>; name: Fixed<string>; value: Fixed<string> };

type EventsTable = {
  cursor: Generated<number>;
  job_id: Fixed<string>;
  seq: Fixed<number>;
  at: Fixed<string>;
  type: Fixed<string>;
  /** 1 for `step.output`, of which there are many large ones, so that readers who want only these or all but these have an index. */
  is_output: Fixed<number>;
  /** Both null for an event of the orchestrator. */
  epoch: Fixed<string | null>;
  n: Fixed<number | null>;
  data: Fixed<string>;
};

type IdempotencyKeysTable = { key: Fixed<string>; fingerprint: Fixed<string>; job_id: Fixed<string> };

/** `position` grows with every removal, so the newest can be kept without counting. */
type RemovedJobsTable = { position: Generated<number>; job_id: Fixed<string>; removed_at: Fixed<string> };

/** Who may come in. `made_by` names a row of this table, or the installation's token, so the database holds no reference. */
type SignInsTable = {
  token_id: Fixed<string>;
  kind: Fixed<"token" | "browser">;
  name: Fixed<string>;
  secret_sha256: Fixed<string>;
  made_at: Fixed<string>;
  last_used_at: string | null;
  expires_at: Fixed<string | null>;
  made_by: Fixed<string | null>;
};
