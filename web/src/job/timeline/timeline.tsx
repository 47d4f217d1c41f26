import { SearchX } from "lucide-react";
import { useCallback, useMemo, useRef, useState } from "react";
import type { Job } from "../../../../src/contract/job.ts";
import { Empty } from "../../ui/empty.tsx";
import { Skeleton } from "../../ui/skeleton.tsx";
import { Trouble } from "../../ui/trouble.tsx";
import type { StoryEvent } from "../events/job-events.ts";
import { useJobEvents } from "../events/job-events-provider.tsx";
import { StepOutputs } from "../events/step-outputs.tsx";
import { useReplay } from "../replay/replay-moment.tsx";
import { ApprovalBar } from "./approval-bar.tsx";
import { EVERYTHING, filteredItems } from "./item-filter.ts";
import { MessageBox } from "./message-box.tsx";
import { PlanBar } from "./plan-card.tsx";
import { Remembered } from "./remembered.tsx";
import { TimelineItems } from "./timeline-items.ts";
import { type TimelineHandle, TimelineList } from "./timeline-list.tsx";
import { TimelineToolbar } from "./timeline-toolbar.tsx";

/** What happened in the job so far, or until the moment of a replay; and what people say to it. */
export function Timeline({ job }: { job: Job }) {
  const { events, complete, error } = useJobEvents();
  const { at } = useReplay();
  const [builder] = useState(() => new TimelineItems());
  const [filter, setFilter] = useState(EVERYTHING);
  // Whoever opens an ended job wants its beginning; one that ends meanwhile stays where it is.
  const [follows] = useState(job.phase !== "ended");
  const [first, setFirst] = useState(0);
  const list = useRef<TimelineHandle>(null);
  const until = useMemo(() => (at === null ? events : upTo(events, at)), [events, at]);
  const items = useMemo(() => builder.of(until), [builder, until]);
  const shown = useMemo(() => filteredItems(items, filter), [items, filter]);
  const show = useCallback((key: string) => {
    setFilter(EVERYTHING);
    // The list has all items again with the next frame.
    requestAnimationFrame(() => list.current?.show(key));
  }, []);
  const plan_at = shown.findIndex(({ kind }) => kind === "plan");
  const plan = items.find((item) => item.kind === "plan");
  return (
    <StepOutputs key={job.job_id}>
      <Remembered>
        <div className="flex min-h-0 flex-1 flex-col bg-panel">
          <TimelineToolbar filter={filter} onChange={setFilter} found={shown.length} />
          {plan !== undefined && (plan_at === -1 || first > plan_at) && (
            <PlanBar plan={plan.plan} onOpen={() => show(plan.key)} />
          )}
          {error !== null && (
            <div className="p-3">
              <Trouble error={error} />
            </div>
          )}
          {shown.length > 0 ? (
            <TimelineList
              ref={list}
              items={shown}
              job={job}
              follows={follows}
              at={at}
              busy={!complete}
              onFirst={setFirst}
            />
          ) : items.length > 0 ? (
            <Empty icon={<SearchX />} title="Nothing of the timeline matches" />
          ) : (
            error === null && <Loading />
          )}
          {at === null && <ApprovalBar job={job} items={items} onShow={show} />}
          {job.phase !== "ended" && <MessageBox job={job} events={events} />}
        </div>
      </Remembered>
    </StepOutputs>
  );
}

/** The events are ascending in time too, but for clocks that were set: the first that is later ends it. */
function upTo(events: readonly StoryEvent[], at: number): readonly StoryEvent[] {
  let from = 0;
  let to = events.length;
  while (from < to) {
    const middle = (from + to) >> 1;
    if (Date.parse(events[middle]?.at ?? "") <= at) from = middle + 1;
    else to = middle;
  }
  return events.slice(0, from);
}

function Loading() {
  return (
    <div className="flex flex-1 flex-col gap-4 p-4" role="status" aria-label="Loading the timeline">
      <Skeleton className="h-5 w-1/3" />
      <Skeleton className="h-24" />
      <Skeleton className="h-5 w-1/2" />
      <Skeleton className="h-24" />
    </div>
  );
}
