import { Hand } from "lucide-react";
import { useMemo } from "react";
import type { Job } from "../../../../src/contract/job.ts";
import { visibleLine } from "../../text/visible-text.ts";
import { Answers } from "./approval-card.tsx";
import { MoreButton } from "./card.tsx";
import type { ItemOf, TimelineItem } from "./timeline-items.ts";

/** The oldest open question, where it cannot be missed; told to those who cannot see it. */
export function ApprovalBar({
  job,
  items,
  onShow,
}: {
  job: Job;
  items: readonly TimelineItem[];
  onShow: (key: string) => void;
}) {
  // As the events say it: the job itself is asked for only after them, and an answered question must not be asked again.
  const questions = useMemo(
    () => items.filter((item): item is ItemOf<"approval"> => item.kind === "approval"),
    [items],
  );
  const [first, ...others] = questions.filter(({ given }) => given === null);
  const is_first = others.length + 1 === questions.length;
  const asked = first?.asked.data;
  return (
    <div aria-live="polite" className="shrink-0">
      {first !== undefined && asked !== undefined && job.phase !== "ended" && (
        <section
          aria-label="A question of the job"
          className="flex flex-wrap items-center gap-x-3 gap-y-1.5 border-person-line border-t bg-person-soft px-3 py-2 sm:px-4"
        >
          <Hand aria-hidden className="size-4 shrink-0 text-person" />
          <p className="untrusted line-clamp-2 min-w-40 flex-1 text-sm">
            <span className="font-medium text-person">Asks you: </span>
            {visibleLine(asked.title)}
            {others.length > 0 && <span className="text-quiet"> and {others.length} more</span>}
          </p>
          <MoreButton onClick={() => onShow(first.key)}>Show it</MoreButton>
          <Answers
            key={asked.n}
            job_id={job.job_id}
            n={asked.n}
            expires_at={asked.expires_at}
            follows={!is_first}
          />
        </section>
      )}
    </div>
  );
}
