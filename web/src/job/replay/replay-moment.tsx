import { createContext, type ReactNode, use } from "react";
import type { Job } from "../../../../src/contract/job.ts";

/** The moment that a replay is at; panels show the job as it was then. */
export type Replay = {
  /** Ms since the epoch; null: as it is now. */
  at: number | null;
  /** Shows that moment; null goes back to now. */
  seek(at: number | null): void;
};

const ReplayContext = createContext<Replay>({ at: null, seek: () => undefined });

export function useReplay(): Replay {
  return use(ReplayContext);
}

export function ReplayProvider({ children }: { job: Job; children: ReactNode }) {
  return children;
}
