import { useSyncExternalStore } from "react";
import { DraftStore, type Kept } from "./draft-store.ts";

/** One for the tab: it is there again after a look at another page. */
export const drafts = new DraftStore(sessionStorage);

export function useKept(): Kept {
  return useSyncExternalStore(drafts.listen, () => drafts.kept);
}
