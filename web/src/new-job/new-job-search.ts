import { text } from "../app/search-text.ts";

/** What a clone can have otherwise than the job it comes from, by the names that a draft has for them. */
export const CLONE_CHANGES = [
  "memory",
  "disk",
  "timeout",
  "idle_timeout",
  "max_tokens",
  "max_cost",
  "max_calls",
] as const;
/** As they are typed into the form: `4g`, `2h`, `500000`. */
export type CloneChange = Partial<Record<(typeof CLONE_CHANGES)[number], string>>;

/** The search part of the address of a new job: the job that it is a clone of, with what is changed, or the example it begins with. */
export type NewJobSearch = { from?: string | undefined; example?: string | undefined } & {
  [K in keyof CloneChange]: string | undefined;
};

const CHANGE_MAX_CHARS = 32;

export function newJobSearch(search: Record<string, unknown>): NewJobSearch {
  return { from: text(search.from), example: text(search.example), ...cloneChange(search) };
}

/** The changes among what an address says. */
export function cloneChange(search: Record<string, unknown>): CloneChange {
  const change: CloneChange = {};
  for (const name of CLONE_CHANGES) {
    const written = text(search[name]);
    if (written !== undefined) change[name] = written.slice(0, CHANGE_MAX_CHARS);
  }
  return change;
}
