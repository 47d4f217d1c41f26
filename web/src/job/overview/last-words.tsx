import { useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import type { Job } from "../../../../src/contract/job.ts";
import { terminalLines } from "../../text/terminal-lines.ts";
import { TerminalLines } from "../../text/terminal-text.tsx";
import { outputBefore } from "../replay/output-at.ts";
import type { Step } from "../replay/story.ts";

const LINES = 12;
const EVENTS = 60;

/** The last lines that a step wrote. */
export function LastWords({ job, step }: { job: Job; step: Step }) {
  const { data: chunks = [] } = useQuery(
    outputBefore({
      job_id: job.job_id,
      step: step.number,
      after: step.seq,
      before: step.ended?.seq ?? null,
      limit: EVENTS,
    }),
  );
  const lines = useMemo(() => terminalLines(chunks).slice(-LINES), [chunks]);
  if (lines.length === 0) return null;
  return (
    <section
      aria-label={`The last lines of step ${step.number}`}
      // biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls, which the keyboard must be able to do.
      tabIndex={0}
      className="max-h-72 overflow-y-auto border-t px-3 py-2 focus-visible:outline-offset-[-2px]"
    >
      <TerminalLines lines={lines} />
    </section>
  );
}
