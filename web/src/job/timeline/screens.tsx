import type { EventOf } from "../events/job-events.ts";
import { PictureView } from "./picture-view.tsx";

/** So many of the last ones are shown; the replay has all of them. */
const SHOWN_MAX = 4;

/** What the screen looked like, in small. */
export function Screens({ screens }: { screens: readonly EventOf<"screen.captured">[] }) {
  const left_out = screens.length - SHOWN_MAX;
  return (
    <div className="flex flex-col gap-1">
      <div className="flex flex-wrap gap-2">
        {screens.slice(-SHOWN_MAX).map(({ seq, at, job_id, data }) => (
          <PictureView
            key={seq}
            path={`/jobs/${job_id}/blobs/${data.blob}`}
            mime="image/png"
            label={`The screen at ${new Date(at).toLocaleTimeString()}`}
            ratio={data.width / data.height}
            className={screens.length === 1 ? "h-56" : "h-28"}
          />
        ))}
      </div>
      {left_out > 0 && <p className="text-quiet text-xs">{left_out} earlier ones are in the replay.</p>}
    </div>
  );
}
