import type { Status } from "../../../src/contract/job.ts";
import type { JobsFilter } from "../api/job-lists.ts";
import { text } from "../app/search-text.ts";

/** By which lists of jobs can be filtered, in the order in which they are offered. */
export const STATUSES: readonly Status[] = ["running", "pending", "complete", "error", "cancelled"];
/** As the API bounds them. */
export const TEXT_MAX_CHARS = 200;
const LABEL_MAX_CHARS = 400;

/** The filter of a list stands in its address. */
export function listSearch(search: Record<string, unknown>): JobsFilter {
  return {
    status: STATUSES.find((status) => status === search.status),
    text: text(search.text)?.slice(0, TEXT_MAX_CHARS),
    label: text(search.label)?.slice(0, LABEL_MAX_CHARS),
  };
}

export function isFiltered({ status, text, label }: JobsFilter): boolean {
  return status !== undefined || text !== undefined || label !== undefined;
}

/** A label as the API filters by it: its name alone where it has no value. */
export function labelFilter(name: string, value: string): string {
  return value === "" ? name : `${name}=${value}`;
}
