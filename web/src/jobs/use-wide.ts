import { useSyncExternalStore } from "react";

/** From here on a job fits into one line (Tailwind's `md`). */
const wide = matchMedia("(min-width: 48rem)");

/** Whether the window is wide enough for a table. */
export function useWide(): boolean {
  return useSyncExternalStore(
    (changed) => {
      wide.addEventListener("change", changed);
      return () => wide.removeEventListener("change", changed);
    },
    () => wide.matches,
  );
}
