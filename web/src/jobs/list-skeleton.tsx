import { Skeleton } from "../ui/skeleton.tsx";

const ROWS = 8;

/** The shape of the list while it is being loaded. */
export function ListSkeleton() {
  return (
    <div role="status" aria-label="Loading the jobs" className="md:pt-8">
      {Array.from({ length: ROWS }, (_, row) => (
        <div
          // biome-ignore lint/suspicious/noArrayIndexKey: They are all alike.
          key={row}
          className="flex h-15 items-center gap-4 border-b px-4 md:h-10"
          style={{ opacity: 1 - row / ROWS }}
        >
          <Skeleton className="h-4 w-24" />
          <Skeleton className="h-4 flex-1" />
          <Skeleton className="h-4 w-16 max-md:hidden" />
          <Skeleton className="h-4 w-12" />
        </div>
      ))}
    </div>
  );
}
