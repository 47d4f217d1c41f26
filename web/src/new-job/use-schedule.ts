import { useNavigate } from "@tanstack/react-router";
import { useEffect, useRef, useState } from "react";
import { ApiError } from "../api/request.ts";
import { EMPTY_DRAFT } from "./draft.ts";
import { inputsFault } from "./inputs.ts";
import { type Faults, faultsOf, NO_FAULTS, requestOf } from "./job-request.ts";
import type { Progress } from "./schedule-bar.tsx";
import { sendJob } from "./send-job.ts";
import { drafts } from "./use-draft.ts";

export type Schedule = {
  faults: Faults;
  /** What belongs to no field. */
  trouble: unknown;
  sending: boolean;
  progress: Progress;
  schedule: () => void;
  cancel: () => void;
  /** Forgets what was wrong with a field that somebody changes. */
  changed: (locs: readonly string[]) => void;
};

/** Sends the draft as it stands; on success the page of its job comes, else everything stays as it was typed. */
export function useSchedule(): Schedule {
  const [faults, setFaults] = useState<Faults>(NO_FAULTS);
  const [trouble, setTrouble] = useState<unknown>(null);
  const [sending, setSending] = useState<AbortController | null>(null);
  const [progress, setProgress] = useState<Progress>(null);
  const sent = useRef({ of: drafts.kept, key: crypto.randomUUID() });
  const navigate = useNavigate();
  useEffect(() => () => sending?.abort(), [sending]);

  const schedule = async (): Promise<void> => {
    if (sending !== null) return;
    const { kept } = drafts;
    const { request, faults: unreadable } = requestOf(kept.draft);
    setFaults(unreadable);
    setTrouble(null);
    if (unreadable.size > 0) return;
    const too_much = inputsFault(kept.inputs);
    if (too_much !== null) return setTrouble(new Error(too_much));
    if (sent.current.of !== kept) sent.current = { of: kept, key: crypto.randomUUID() };
    const controller = new AbortController();
    setSending(controller);
    try {
      const { job_id } = await sendJob(request, kept.inputs, {
        key: sent.current.key,
        signal: controller.signal,
        onProgress: (sent_bytes, all_bytes) => setProgress({ sent_bytes, all_bytes }),
      });
      drafts.replace(EMPTY_DRAFT);
      await navigate({ to: "/job/$id", params: { id: job_id } });
    } catch (error) {
      if (controller.signal.aborted) return;
      const named = error instanceof ApiError && error.status === 422 ? faultsOf(error.details) : NO_FAULTS;
      setFaults(named);
      if (named.size === 0 || named.has("")) setTrouble(error);
    } finally {
      setSending(null);
      setProgress(null);
    }
  };
  return {
    faults,
    trouble,
    sending: sending !== null,
    progress,
    schedule: () => void schedule(),
    cancel: () => sending?.abort(),
    changed: (locs) => {
      const left = [...faults].filter(
        ([name]) => !locs.some((loc) => name === loc || name.startsWith(`${loc}.`)),
      );
      if (left.length < faults.size) setFaults(new Map(left));
    },
  };
}
