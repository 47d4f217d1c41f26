/** What stands beside the timeline of a job. `overview` has what the job was asked, and why it ended as it did. */
export const JOB_TABS = [
  "overview",
  "desktop",
  "terminal",
  "jupyter",
  "files",
  "ports",
  "changes",
  "metrics",
] as const;
export type JobTab = (typeof JOB_TABS)[number];

/** The search part of a job's address: the tab, and for a replay the moment in ms since the job was scheduled. */
export type JobSearch = { tab?: JobTab | undefined; at?: number | undefined };

export function jobSearch(search: Record<string, unknown>): JobSearch {
  const at = Number(search.at);
  return {
    tab: JOB_TABS.find((tab) => tab === search.tab),
    at: search.at !== undefined && Number.isFinite(at) && at >= 0 ? Math.round(at) : undefined,
  };
}
