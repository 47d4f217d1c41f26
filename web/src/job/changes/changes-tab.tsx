import type { Job } from "../../../../src/contract/job.ts";
import { useReplay } from "../replay/replay-moment.tsx";
import { EventChanges } from "./event-changes.tsx";
import { PatchChanges } from "./patch-changes.tsx";

/** What the job changed: its patch once it has one, else what its events tell; during a replay as it was then. */
export function ChangesTab({ job }: { job: Job }) {
  const { at } = useReplay();
  if (job.patch && job.phase === "ended" && at === null) return <PatchChanges job={job} />;
  return <EventChanges job={job} at={at} />;
}
