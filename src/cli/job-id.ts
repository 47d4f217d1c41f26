import { AppError } from "../contract/errors.ts";
import { type Job, JobId } from "../contract/job.ts";
import type { Client } from "./client.ts";

const PAGE = 500;
/** How far back a shortened id is looked for. */
const PAGES_MAX = 20;
const SHORT_CHARS = 8;
const SHORTEST_CHARS = 3;

/** The end of an id, which is its random part: ids begin with the time, so jobs of one minute begin alike. */
export function shortId(id: string): string {
  return id.replaceAll("-", "").slice(-SHORT_CHARS);
}

/**
 * The id that a person means: a whole one, the beginning or the end of one, or `last` for the newest job.
 * Throws `usage` when several fit, `not_found` when none does.
 */
export async function resolveJobId(client: Client, given: string, signal: AbortSignal): Promise<string> {
  const word = given.trim().toLowerCase();
  if (JobId.safeParse(word).success) return word;
  if (word === "last") {
    const newest = (await client.jobs({ limit: 1 }, signal)).jobs[0];
    if (newest !== undefined) return newest.job_id;
    throw new AppError({ code: "not_found", message: "There is no job yet." });
  }
  const digits = word.replaceAll("-", "");
  if (!/^[0-9a-f]+$/.test(digits) || digits.length < SHORTEST_CHARS) {
    throw new AppError({
      code: "usage",
      message: `'${given}' is not the id of a job.`,
      hint: `Give the id, ${SHORTEST_CHARS} or more characters of its beginning or end, or 'last'. \`sealwork ls\` lists jobs.`,
    });
  }
  const fitting = await find(client, digits, signal);
  const [first, second] = fitting;
  if (first === undefined) {
    throw new AppError({
      code: "not_found",
      message: `No job's id begins or ends with '${given}'.`,
      hint: "`sealwork ls` lists jobs.",
    });
  }
  if (second === undefined) return first.job_id;
  throw new AppError({
    code: "usage",
    message: `'${given}' fits several jobs: ${fitting
      .slice(0, 5)
      .map((job) => job.job_id)
      .join(", ")}.`,
    hint: "Give more of the id.",
  });
}

async function find(client: Client, digits: string, signal: AbortSignal): Promise<Job[]> {
  const fitting: Job[] = [];
  let cursor: string | undefined;
  for (let page = 0; page < PAGES_MAX; page += 1) {
    const answer = await client.jobs({ limit: PAGE, ...(cursor === undefined ? {} : { cursor }) }, signal);
    for (const job of answer.jobs) {
      const id = job.job_id.replaceAll("-", "");
      if (id.startsWith(digits) || id.endsWith(digits)) fitting.push(job);
    }
    if (answer.next_cursor === null) break;
    cursor = answer.next_cursor;
  }
  return fitting;
}
