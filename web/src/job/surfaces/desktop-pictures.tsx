import { useNavigate } from "@tanstack/react-router";
import { Camera, History, MonitorOff } from "lucide-react";
import type { Job } from "../../../../src/contract/job.ts";
import { Button, IconButton } from "../../ui/button.tsx";
import { Empty } from "../../ui/empty.tsx";
import { Skeleton } from "../../ui/skeleton.tsx";
import { Ago } from "../../ui/time.tsx";
import { eventsOf, type StoryEvent } from "../events/job-events.ts";
import { useJobEvents } from "../events/job-events-provider.tsx";
import { useBlobAddress } from "../files/use-blob-address.ts";

/** The desktop as it was captured: last of all, or at the moment of a replay. */
export function DesktopPictures({ job, at }: { job: Job; at: number | null }) {
  const navigate = useNavigate({ from: "/job/$id" });
  const { events, complete } = useJobEvents();
  const captured = capturedAt(events, at);
  const picture = useBlobAddress(
    captured === null ? null : `/jobs/${job.job_id}/blobs/${captured.data.blob}`,
    "image/png",
  );
  if (captured === null && !complete) return <Skeleton className="m-4 flex-1" />;
  if (captured === null)
    return (
      <Empty
        icon={<MonitorOff />}
        title={at === null ? "No picture of the screen was kept" : "No picture of the screen yet"}
      >
        The screen is captured after each step of the agent's desktop tool, and while somebody watches.
      </Empty>
    );
  return (
    <section aria-label="Desktop of the job" className="flex min-h-0 flex-1 flex-col bg-panel">
      <div className="flex h-11 shrink-0 items-center gap-2 border-b px-3 text-sm">
        <p className="mr-auto min-w-0 truncate text-quiet">
          {at === null ? "The last picture" : "Captured"} <Ago at={captured.at} />
          {at === null && ", before the sandbox was removed"}
        </p>
        {at === null && (
          <Button
            size="sm"
            onClick={() => void navigate({ search: (old) => ({ ...old, at: 0 }), replace: true })}
          >
            <History />
            Replay
          </Button>
        )}
        {picture.address !== null && (
          <IconButton size="sm" label="Save this picture" asChild>
            <a href={picture.address} download={`screen-${captured.seq}.png`}>
              <Camera />
            </a>
          </IconButton>
        )}
      </div>
      <div className="flex min-h-0 flex-1 items-center justify-center bg-screen p-0.5">
        {picture.address !== null && (
          <img
            src={picture.address}
            alt={`The screen at ${new Date(captured.at).toLocaleTimeString()}`}
            className="max-h-full max-w-full object-contain"
          />
        )}
        {picture.error !== null && (
          <p role="alert" className="text-screen-ink text-sm">
            This picture is not kept any more.
          </p>
        )}
      </div>
    </section>
  );
}

function capturedAt(events: readonly StoryEvent[], at: number | null) {
  return (
    eventsOf(events, "screen.captured").findLast((event) => at === null || Date.parse(event.at) <= at) ?? null
  );
}
