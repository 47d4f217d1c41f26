import { type Kysely, sql } from "kysely";
import { AppError } from "../contract/errors.ts";
import { foldCase } from "../contract/fold-case.ts";
import type { JobRecord, JobsFilter } from "../core/store.ts";
import { JOB_COLUMNS, toJob } from "./job-rows.ts";
import type { Tables } from "./tables.ts";

const LISTED_COLUMNS = JOB_COLUMNS.filter((column) => column !== "requests.details");

/** One page of the list of jobs, newest first, with prompts cut short and without env. Ids break the tie of jobs from the same millisecond, so no job is shown twice or never. */
export async function readJobsPage(
  db: Kysely<Tables>,
  filter: JobsFilter,
  limit: number,
  cursor: string | null,
): Promise<{ jobs: JobRecord[]; next_cursor: string | null }> {
  const { status, label, text } = filter;
  let query = db
    .selectFrom("jobs")
    .innerJoin("requests", "requests.job_id", "jobs.job_id")
    .leftJoin("listed_requests", "listed_requests.job_id", "jobs.job_id")
    .select(LISTED_COLUMNS)
    .select(({ fn }) => fn.coalesce("listed_requests.details", "requests.details").as("details"))
    .orderBy("jobs.scheduled_at", "desc")
    .orderBy("jobs.job_id", "desc")
    .limit(limit + 1);
  if (status !== undefined) query = query.where("jobs.status", "=", status);
  if (text !== undefined) {
    const pattern = `%${foldCase(text).replace(/[\\%_]/g, "\\$&")}%`;
    query = query.where(sql<boolean>`${sql.ref("requests.prompt_search")} like ${pattern} escape '\\'`);
  }
  if (label !== undefined) {
    query = query.where(({ exists, selectFrom }) => {
      const named = selectFrom("labels")
        .select("labels.job_id")
        .whereRef("labels.job_id", "=", "jobs.job_id")
        .where("labels.name", "=", label.name);
      return exists(label.value === null ? named : named.where("labels.value", "=", label.value));
    });
  }
  if (cursor !== null) {
    const { scheduled_at, job_id } = decode(cursor);
    query = query.where(({ eb, refTuple, tuple }) =>
      eb(refTuple("jobs.scheduled_at", "jobs.job_id"), "<", tuple(scheduled_at, job_id)),
    );
  }
  const rows = await query.execute();
  const page = rows.slice(0, limit);
  const last = page.at(-1);
  return {
    jobs: page.map(toJob),
    next_cursor: last !== undefined && rows.length > limit ? encode(last) : null,
  };
}

type Position = { scheduled_at: string; job_id: string };

const POSITION = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?Z) ([0-9a-fA-F-]{36})$/;

function encode({ scheduled_at, job_id }: Position): string {
  return Buffer.from(`${scheduled_at} ${job_id}`).toString("base64url");
}

function decode(cursor: string): Position {
  const [, scheduled_at, job_id] = POSITION.exec(Buffer.from(cursor, "base64url").toString("latin1")) ?? [];
  if (scheduled_at === undefined || job_id === undefined) {
    throw new AppError({
      code: "invalid_request",
      message: "The cursor is not one that this server gave.",
      hint: "Leave `cursor` out to start at the newest job, or pass the `next_cursor` of the last answer as it is.",
      details: [{ loc: ["query", "cursor"], msg: "Not a cursor of this server", type: "value_error" }],
    });
  }
  return { scheduled_at, job_id };
}
