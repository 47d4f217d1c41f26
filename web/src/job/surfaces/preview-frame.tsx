import clsx from "clsx";
import { useState } from "react";
import { Skeleton } from "../../ui/skeleton.tsx";

/** A page from a sandbox cannot lead this tab elsewhere, open windows, or start downloads by itself. */
const SANDBOX = "allow-scripts allow-forms allow-same-origin";

/** Shows an address that `…/open` gave, which is good for one load: another load takes another address, and another `key`. */
export function PreviewFrame({
  url,
  title,
  className,
}: {
  url: string;
  title: string;
  className?: string | undefined;
}) {
  const [loaded, setLoaded] = useState(false);
  return (
    <div className={clsx("relative flex min-h-0 flex-1 bg-white", className)}>
      {!loaded && <Skeleton className="absolute inset-0 rounded-none" />}
      <iframe
        src={url}
        title={title}
        sandbox={SANDBOX}
        referrerPolicy="no-referrer"
        data-keys="own"
        onLoad={() => setLoaded(true)}
        className="relative min-h-0 min-w-0 flex-1"
      />
    </div>
  );
}
