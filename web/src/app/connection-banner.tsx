import { LoaderCircle, Unplug } from "lucide-react";
import { useFeed } from "../feed/use-feed.ts";
import { Button } from "../ui/button.tsx";
import type { Outage } from "./outage.ts";

/** Says that what is shown may be old, as long as the stream of events is lost. */
export function ConnectionBanner({ outage }: { outage: Outage | null }) {
  const feed = useFeed();
  // The place is there before it has something to say, or screen readers would not say it.
  return (
    <div role="status">
      {outage !== null && (
        <div className="flex items-center justify-center gap-3 border-warn-line border-b bg-warn-soft px-4 py-1 text-sm text-warn">
          {outage.retry_in_s > 0 ? (
            <Unplug aria-hidden className="size-4 shrink-0" />
          ) : (
            <LoaderCircle aria-hidden className="size-4 shrink-0 animate-spin" />
          )}
          <span>The server cannot be reached. What you see may be old.</span>
          {/* Not said aloud: it counts. */}
          <span aria-hidden className="tabular w-36 max-sm:hidden">
            {outage.retry_in_s > 0 ? `Trying again in ${outage.retry_in_s} s` : "Trying…"}
          </span>
          <Button size="sm" look="ghost" className="text-warn!" onClick={() => feed.retry()}>
            Try now
          </Button>
        </div>
      )}
    </div>
  );
}
