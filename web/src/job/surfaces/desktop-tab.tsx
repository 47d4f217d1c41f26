import type { Job } from "../../../../src/contract/job.ts";
import { useReplay } from "../replay/replay-moment.tsx";
import { DesktopLive } from "./desktop-live.tsx";
import { DesktopPictures } from "./desktop-pictures.tsx";
import { NotYet } from "./not-open.tsx";
import { sandboxState } from "./sandbox-state.ts";

/** The desktop: live while the sandbox is there, as it was captured afterwards and in a replay. */
export function DesktopTab({ job }: { job: Job }) {
  const { at } = useReplay();
  const state = sandboxState(job);
  if (state === "before") return <NotYet job={job} what="The desktop" />;
  if (state === "over" || at !== null) return <DesktopPictures job={job} at={at} />;
  return <DesktopLive job={job} />;
}
