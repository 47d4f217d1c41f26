import { useRouter } from "@tanstack/react-router";
import { type RefObject, useEffect } from "react";

/** Takes the keyboard, and who listens instead of looking, to the heading of each new page, as loading it would. */
export function usePageFocus(main: RefObject<HTMLElement | null>): void {
  const router = useRouter();
  useEffect(
    () =>
      router.subscribe("onRendered", ({ fromLocation, pathChanged }) => {
        // What a page took for itself, such as the first field of a form, stays there.
        if (fromLocation === undefined || !pathChanged || isWithin(main.current)) return;
        const heading = main.current?.querySelector<HTMLElement>("h1");
        if (heading) {
          heading.tabIndex = -1;
          heading.style.outline = "none";
        }
        (heading ?? main.current)?.focus({ preventScroll: true });
      }),
    [router, main],
  );
}

function isWithin(main: HTMLElement | null): boolean {
  const focused = document.activeElement;
  return main?.contains(focused) === true && focused !== main;
}
