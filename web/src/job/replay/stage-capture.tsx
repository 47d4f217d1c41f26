import { useEffect, useState } from "react";
import { usePicture } from "../timeline/use-picture.ts";
import type { Timed } from "./story.ts";

/** The screen as it was captured last; the one before stays until the next is there, so that a replay does not flicker. */
export function StageCapture({
  job_id,
  capture,
}: {
  job_id: string;
  capture: Timed<"screen.captured"> | null;
}) {
  if (capture === null)
    return (
      <p className="rounded-lg border px-4 py-2.5 text-quiet text-sm">
        The screen had not been captured yet.
      </p>
    );
  const { blob, width, height } = capture.data;
  return (
    <section
      aria-label="Screen"
      className="max-h-[26rem] w-full overflow-hidden rounded-lg border bg-screen"
      style={{ aspectRatio: `${width} / ${height}` }}
    >
      <Screen job_id={job_id} blob={blob} />
    </section>
  );
}

function Screen({ job_id, blob }: { job_id: string; blob: string }) {
  const [front, setFront] = useState(blob);
  return (
    <div className="relative size-full">
      <Shown key={front} path={`/jobs/${job_id}/blobs/${front}`} />
      {front !== blob && (
        <Shown key={blob} path={`/jobs/${job_id}/blobs/${blob}`} onShown={() => setFront(blob)} />
      )}
    </div>
  );
}

function Shown({ path, onShown }: { path: string; onShown?: () => void }) {
  const picture = usePicture(path, "image/png");
  const done = picture.kind === "none";
  useEffect(() => {
    if (done) onShown?.();
  }, [done, onShown]);
  if (picture.kind === "none")
    return (
      <p className="flex size-full items-center justify-center text-screen-ink/70 text-sm">{picture.why}</p>
    );
  if (picture.kind === "loading") return null;
  return (
    <img
      src={picture.address}
      // The one that is still to come up is not told twice.
      alt={onShown === undefined ? "The screen at that moment" : ""}
      onLoad={onShown}
      className="absolute inset-0 size-full object-contain"
    />
  );
}
