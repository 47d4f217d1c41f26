import { useNavigate } from "@tanstack/react-router";
import { Copy, FileX, RotateCcw } from "lucide-react";
import type { ReactNode } from "react";
import type { Job } from "../../../src/contract/job.ts";
import { retryJob } from "../api/jobs.ts";
import { Button } from "../ui/button.tsx";
import { useToasts } from "../ui/toasts.tsx";
import type { Start } from "./use-start.ts";

/** Where the draft comes from, and what could not come with it. */
export function StartNotices({
  start,
  lost,
  onLost,
}: {
  start: Start;
  lost: readonly string[];
  onLost: () => void;
}) {
  const { cloned, before, bringBack } = start;
  return (
    <>
      {cloned !== null && <Cloned job={cloned} />}
      {before !== null && (
        <Notice
          icon={<RotateCcw />}
          action={
            <Button size="sm" onClick={bringBack}>
              Bring it back
            </Button>
          }
        >
          What you had typed here before was set aside.
        </Notice>
      )}
      {lost.length > 0 && (
        <Notice
          icon={<FileX />}
          action={
            <Button size="sm" onClick={onLost}>
              Go without
            </Button>
          }
        >
          <span className="untrusted">{namesOf(lost)}</span> {lost.length === 1 ? "was" : "were"} chosen
          before the page was loaded anew, and a browser lets no page open them by itself again. Choose them
          once more.
        </Notice>
      )}
    </>
  );
}

function namesOf([first = "", ...others]: readonly string[]): string {
  if (others.length === 0) return first;
  return `${first} and ${others.length === 1 ? "another file" : `${others.length} other files`}`;
}

function Cloned({ job }: { job: Job }) {
  const navigate = useNavigate();
  const { failed } = useToasts();
  const retry = () =>
    retryJob(job.job_id).then(({ job_id }) => navigate({ to: "/job/$id", params: { id: job_id } }), failed);
  return (
    <Notice
      icon={<Copy />}
      action={
        <Button size="sm" onClick={() => void retry()}>
          Retry with files
        </Button>
      }
    >
      A copy of job {job.job_id.slice(-8)}, without its files and variables. Retry runs the same task again
      with them.
    </Notice>
  );
}

function Notice({ icon, action, children }: { icon: ReactNode; action: ReactNode; children: ReactNode }) {
  return (
    <div
      role="status"
      className="flex items-center gap-3 rounded-lg border bg-panel px-4 py-2.5 text-sm text-soft [&>svg]:size-4 [&>svg]:shrink-0 [&>svg]:text-quiet"
    >
      {icon}
      <p className="min-w-0 flex-1">{children}</p>
      {action}
    </div>
  );
}
