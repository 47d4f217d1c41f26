import clsx from "clsx";
import type { ReactNode, Ref } from "react";

/** A named part of the page that scrolls by itself, by keyboard too. */
export function ScrollRegion({
  label,
  className,
  children,
  ref,
}: {
  label: string;
  className?: string;
  children: ReactNode;
  ref?: Ref<HTMLElement>;
}) {
  return (
    <section
      ref={ref}
      aria-label={label}
      // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard.
      tabIndex={0}
      className={clsx("min-h-0 flex-1 overflow-auto focus-visible:outline-offset-[-2px]", className)}
    >
      {children}
    </section>
  );
}
