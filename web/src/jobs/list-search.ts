import type { Status } from "../../../src/contract/job.ts";
import type { JobsFilter } from "../api/jobs.ts";
import { text } from "../app/search-text.ts";

/** By which lists of jobs can be filtered, in the order in which they are offered. */
export const STATUSES: readonly Status[] = ["pending", "running", "complete", "error", "cancelled"];

/** The filter of a list stands in its address. */
export function listSearch(search: Record<string, unknown>): JobsFilter {
  return {
    status: STATUSES.find((status) => status === search.status),
    text: text(search.text),
    label: text(search.label),
  };
}
