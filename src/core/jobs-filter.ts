import type { JobsQuery } from "../contract/api.ts";
import type { JobsFilter } from "./store.ts";

/** What a query asks the store for; a label is `name` or `name=value`. */
export function jobsFilter({ status, text, label }: JobsQuery): JobsFilter {
  if (label === undefined) return { status, text };
  const equals = label.indexOf("=");
  if (equals === -1) return { status, text, label: { name: label, value: null } };
  return { status, text, label: { name: label.slice(0, equals), value: label.slice(equals + 1) } };
}
