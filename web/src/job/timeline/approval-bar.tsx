import { Hand } from "lucide-react";
import type { Job } from "../../../../src/contract/job.ts";
import { visibleLine } from "../../text/visible-text.ts";
import { Answers } from "./approval-card.tsx";
import { MoreButton } from "./card.tsx";

/** The oldest open question, where it cannot be missed; told to those who cannot see it. */
export function ApprovalBar({ job, onShow }: { job: Job; onShow: (n: number) => void }) {
  const [first, ...others] = job.approvals;
  return (
    <div aria-live="polite" className="shrink-0">
      {first !== undefined && job.phase !== "ended" && (
        <section
          aria-label="A question of the job"
          className="flex flex-wrap items-center gap-x-3 gap-y-1.5 border-person-line border-t bg-person-soft px-3 py-2 sm:px-4"
        >
          <Hand aria-hidden className="size-4 shrink-0 text-person" />
          <p className="untrusted line-clamp-2 min-w-40 flex-1 text-sm">
            <span className="font-medium text-person">Asks you: </span>
            {visibleLine(first.title)}
            {others.length > 0 && <span className="text-quiet"> and {others.length} more</span>}
          </p>
          <MoreButton onClick={() => onShow(first.n)}>Show it</MoreButton>
          <Answers key={first.n} job_id={job.job_id} n={first.n} expires_at={first.expires_at} />
        </section>
      )}
    </div>
  );
}
