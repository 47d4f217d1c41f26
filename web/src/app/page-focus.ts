import { useRouterState } from "@tanstack/react-router";
import { type RefObject, useEffect, useRef } from "react";

/** Takes the keyboard, and who listens instead of looking, to the heading of each new page, as loading it would. */
export function usePageFocus(main: RefObject<HTMLElement | null>): void {
  const path = useRouterState({ select: ({ resolvedLocation }) => resolvedLocation?.pathname });
  const shown = useRef<string | undefined>(undefined);
  useEffect(() => {
    const before = shown.current;
    shown.current = path;
    // What a page took for itself, such as the first field of a form, stays there.
    if (before === undefined || before === path || main.current?.contains(document.activeElement)) return;
    const heading = main.current?.querySelector<HTMLElement>("h1");
    if (heading) {
      heading.tabIndex = -1;
      heading.style.outline = "none";
    }
    (heading ?? main.current)?.focus({ preventScroll: true });
  }, [path, main]);
}
