import { createContext, use } from "react";

/** Whether what the page knows may no longer be true, because the server has not been heard for a while. */
export const StaleContext = createContext(false);

export function useIsStale(): boolean {
  return use(StaleContext);
}
