import { useNavigate } from "@tanstack/react-router";
import { createContext, type ReactNode, use, useMemo, useState } from "react";
import type { Job } from "../../../src/contract/job.ts";
import { cancelJob, retryJob } from "../api/jobs.ts";
import { Button } from "../ui/button.tsx";
import { Dialog, DialogClose } from "../ui/dialog.tsx";
import { promptTitle } from "../ui/one-line.ts";
import { useToasts } from "../ui/toasts.tsx";

export type JobActions = {
  /** Asks first, because it cannot be undone. */
  cancel(job: Job): void;
  retry(job: Job): void;
  /** To the form for a new job, filled in as this one was. */
  clone(job: Job): void;
};

const ActionsContext = createContext<JobActions | null>(null);

/** What can be done with a job, wherever it is shown. */
export function useJobActions(): JobActions {
  const actions = use(ActionsContext);
  if (actions === null) throw new Error("There are no actions around this component.");
  return actions;
}

export function isOver(job: Job): boolean {
  return job.phase === "ended";
}

export function JobActionsProvider({ children }: { children: ReactNode }) {
  const [asked, setAsked] = useState<Job | null>(null);
  const { done, failed } = useToasts();
  const navigate = useNavigate();
  const actions = useMemo<JobActions>(
    () => ({
      cancel: setAsked,
      retry: (job) => void retryJob(job.job_id).then(() => done("Scheduled again."), failed),
      clone: (job) => void navigate({ to: "/new", search: { from: job.job_id } }),
    }),
    [done, failed, navigate],
  );
  const cancel = (): void => {
    if (asked === null) return;
    setAsked(null);
    cancelJob(asked.job_id).then(
      ({ cancelled }) => done(cancelled ? "The job is being cancelled." : "The job had ended already."),
      failed,
    );
  };
  return (
    <ActionsContext value={actions}>
      {children}
      <Dialog
        title="Cancel this job?"
        description="It stops at once and cannot go on later. Its work so far is kept, as a ZIP."
        open={asked !== null}
        onOpenChange={(open) => !open && setAsked(null)}
        width="max-w-md"
      >
        <p className="untrusted line-clamp-2 rounded-md bg-sunken px-3 py-2 text-sm">
          {asked !== null && promptTitle(asked.prompt)}
        </p>
        <div className="mt-5 flex justify-end gap-2">
          <DialogClose asChild>
            <Button>Let it work</Button>
          </DialogClose>
          <Button look="danger" onClick={cancel} autoFocus>
            Cancel the job
          </Button>
        </div>
      </Dialog>
    </ActionsContext>
  );
}
