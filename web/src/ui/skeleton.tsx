import clsx from "clsx";

/** Stands for what is being loaded. */
export function Skeleton({ className }: { className?: string }) {
  return (
    <div aria-hidden data-skeleton className={clsx("animate-pulse-soft rounded-sm bg-hover", className)} />
  );
}
