import { useQuery } from "@tanstack/react-query";
import { useParams, useRouterState } from "@tanstack/react-router";
import { useEffect } from "react";
import type { Job } from "../../../src/contract/job.ts";
import { jobQuery } from "../api/jobs.ts";
import { promptTitle } from "../ui/one-line.ts";
import { statusWord } from "../ui/status.tsx";

const PRODUCT = "Sealwork";
const PAGES: Record<string, string> = {
  "/": "Jobs",
  "/new": "New job",
  "/settings": "Settings",
  "/settings/tokens": "Tokens",
  "/settings/templates": "Templates",
  "/settings/models": "Models",
  "/settings/engine": "Engine",
};
/** Of a prompt, in a title. */
const TITLE_MAX_CHARS = 60;

/** Keeps the title of the window to what its page is about; of a job also how it stands. */
export function usePageTitle(stale: boolean): void {
  const path = useRouterState({ select: ({ location }) => location.pathname });
  const { id } = useParams({ strict: false });
  const { data: job } = useQuery({ ...jobQuery(id ?? ""), enabled: false });
  const page = id === undefined ? PAGES[path] : job === undefined ? "Job" : jobTitle(job, stale);
  useEffect(() => {
    document.title = page === undefined ? PRODUCT : `${page} · ${PRODUCT}`;
  }, [page]);
}

/** A dot before it, like that of an editor, says that it is not over. */
function jobTitle(job: Job, stale: boolean): string {
  const title = promptTitle(job.prompt);
  const short = title.length > TITLE_MAX_CHARS ? `${title.slice(0, TITLE_MAX_CHARS)}…` : title;
  return `${job.phase === "ended" ? "" : "● "}${statusWord(job, stale)} – ${short}`;
}
