import { useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useEffect, useEffectEvent, useState } from "react";
import type { Job } from "../../../src/contract/job.ts";
import { jobQuery } from "../api/jobs.ts";
import { providersQuery, templatesQuery } from "../api/server.ts";
import { SCRIPTS, SENTENCES } from "../jobs/example-tasks.ts";
import { useToasts } from "../ui/toasts.tsx";
import { cloneOf, draftOf } from "./clone.ts";
import { type Draft, isEmpty } from "./draft.ts";
import { cloneChange, type NewJobSearch } from "./new-job-search.ts";
import { drafts } from "./use-draft.ts";

export type Start = {
  /** The job that the draft is a copy of. */
  cloned: Job | null;
  /** What was typed here before something else took its place. */
  before: Draft | null;
  /** Puts another draft here; the one that was typed can be brought back. */
  begin: (draft: Draft) => void;
  bringBack: () => void;
};

/** Begins with what the address asks for, a copy of a job or an example, once; the address is then that of any new job. */
export function useStart(search: NewJobSearch): Start {
  const { from, example } = search;
  const [cloned, setCloned] = useState<Job | null>(null);
  const [before, setBefore] = useState<Draft | null>(null);
  const queries = useQueryClient();
  const navigate = useNavigate();
  const { failed } = useToasts();
  const begin = (draft: Draft): void => {
    const { draft: old } = drafts.kept;
    setBefore(isEmpty(old) || JSON.stringify(old) === JSON.stringify(draft) ? null : old);
    setCloned(null);
    drafts.replace(draft);
  };
  const start = useEffectEvent(async (): Promise<void> => {
    if (from !== undefined) {
      try {
        const [job, { templates }, { default_model }] = await Promise.all([
          queries.ensureQueryData(jobQuery(from)),
          queries.ensureQueryData(templatesQuery),
          queries.ensureQueryData(providersQuery),
        ]);
        begin({ ...cloneOf(job, { templates, default_model }), ...cloneChange(search) });
        setCloned(job);
      } catch (error) {
        failed(error);
      }
    }
    const chosen = [...SCRIPTS, ...SENTENCES].find(({ name }) => name === example);
    if (chosen !== undefined) begin(draftOf(chosen.request));
    await navigate({ to: "/new", search: {}, replace: true });
  });
  useEffect(() => {
    if (from !== undefined || example !== undefined) void start();
  }, [from, example]);
  const bringBack = (): void => {
    if (before !== null) drafts.replace(before);
    setBefore(null);
    setCloned(null);
  };
  return { cloned, before, begin, bringBack };
}
