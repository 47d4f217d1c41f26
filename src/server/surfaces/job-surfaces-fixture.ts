import type { EventBody } from "../../contract/event.ts";
import { JobSurfaces } from "../../core/job-surfaces.ts";
import { initialState } from "../../core/lifecycle.ts";
import type { LiveLink, SandboxLink } from "../../core/link.ts";

/** Test support: the real surfaces of a job at work over a link that the test makes; nothing is stored, and no time passes. */
export function surfacesOver(
  live: Partial<LiveLink>,
  given: {
    job_id: string;
    ending: AbortSignal;
    touched: () => void;
    told?: (events: readonly EventBody[]) => void;
  },
): JobSurfaces {
  const state = { ...initialState(), phase: "working" as const };
  return new JobSurfaces(
    {
      record: { job_id: given.job_id } as never,
      state,
      apply: async (change) => {
        const transition = typeof change === "function" ? change(state) : change;
        given.told?.(transition?.events ?? []);
      },
    },
    {
      link: () => ({ live }) as unknown as SandboxLink,
      ending: { signal: given.ending },
      records_terminals: false,
      touch: given.touched,
      failed: (error) => {
        throw error;
      },
      clock: {
        now: () => "2026-01-01T00:00:00.000Z",
        sleep: (_ms, signal) =>
          new Promise((_resolve, reject) => signal.addEventListener("abort", () => reject(signal.reason))),
      },
    },
  );
}
