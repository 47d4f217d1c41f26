import clsx from "clsx";
import type { ReactNode } from "react";

/** A part of the overview, with its name and what can be done with it. */
export function Panel({
  title,
  end,
  className,
  children,
}: {
  title: string;
  end?: ReactNode;
  className?: string;
  children: ReactNode;
}) {
  return (
    <section aria-label={title} className={clsx("min-w-0 rounded-lg border bg-panel", className)}>
      <header className="flex min-h-10 items-center justify-between gap-3 px-4 pt-2">
        <h2 className="font-medium text-quiet text-xs">{title}</h2>
        {end}
      </header>
      <div className="px-4 pb-4">{children}</div>
    </section>
  );
}

/** Names with what they are, one a line. */
export function Facts({ children }: { children: ReactNode }) {
  return (
    <dl className="grid grid-cols-[auto_minmax(0,1fr)] items-baseline gap-x-5 gap-y-2 text-sm">{children}</dl>
  );
}

export function Fact({ name, children }: { name: string; children: ReactNode }) {
  return (
    <>
      <dt className="text-quiet">{name}</dt>
      <dd className="untrusted min-w-0">{children}</dd>
    </>
  );
}
