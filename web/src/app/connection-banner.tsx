import { LoaderCircle, Unplug } from "lucide-react";
import { useFeed, useFeedState } from "../feed/use-feed.ts";
import { Button } from "../ui/button.tsx";
import { useNow } from "../ui/clock.ts";

/** Says that what is shown may be old, as long as the stream of events is lost. */
export function ConnectionBanner() {
  const feed = useFeed();
  const state = useFeedState();
  const now = useNow(state.kind === "lost");
  if (state.kind !== "lost") return null;
  const seconds = Math.max(0, Math.ceil((state.retry_at - now) / 1000));
  return (
    <div
      role="status"
      className="flex items-center justify-center gap-3 border-warn-line border-b bg-warn-soft px-4 py-1.5 text-sm text-warn"
    >
      {seconds > 0 ? (
        <Unplug className="size-4 shrink-0" />
      ) : (
        <LoaderCircle className="size-4 shrink-0 animate-spin" />
      )}
      <span>
        The server cannot be reached; what you see may be old.{" "}
        <span className="tabular">{seconds > 0 ? `Trying again in ${seconds} s.` : "Trying…"}</span>
      </span>
      <Button size="sm" look="ghost" onClick={() => feed.retry()}>
        Try now
      </Button>
    </div>
  );
}
