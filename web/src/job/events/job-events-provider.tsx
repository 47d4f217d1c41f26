import { createContext, type ReactNode, use, useEffect, useEffectEvent, useState } from "react";
import type { Job } from "../../../../src/contract/job.ts";
import { useFeed } from "../../feed/use-feed.ts";
import { type JobEvents, NO_EVENTS } from "./job-events.ts";
import { StorySource } from "./story-source.ts";

const EventsContext = createContext<JobEvents>(NO_EVENTS);

/** The events of the job around this component, as they are known at the moment. */
export function useJobEvents(): JobEvents {
  return use(EventsContext);
}

/** Loads the events of a job, and joins what happens from now on. */
export function JobEventsProvider({ job, children }: { job: Job; children: ReactNode }) {
  const feed = useFeed();
  const { job_id } = job;
  const [events, setEvents] = useState(NO_EVENTS);
  const hasEnded = useEffectEvent(() => job.phase === "ended");
  useEffect(() => {
    const source = new StorySource({ job_id, ended: hasEnded(), feed, onChange: setEvents });
    return () => source.close();
  }, [job_id, feed]);
  return <EventsContext value={events}>{children}</EventsContext>;
}
