import { ChevronUp, Maximize2 } from "lucide-react";
import { useEffect, useMemo } from "react";
import type { Job } from "../../../../src/contract/job.ts";
import { terminalTail } from "../../text/terminal-lines.ts";
import { TerminalText } from "../../text/terminal-text.tsx";
import { wordsOf } from "../../ui/trouble.tsx";
import { NEWEST } from "../events/events-page.ts";
import type { OutputChunk } from "../events/step-output.ts";
import { useStepOutput } from "../events/step-outputs.tsx";
import { useReplay } from "../replay/replay-moment.tsx";
import { MoreButton } from "./card.tsx";
import { OutputDialog } from "./output-dialog.tsx";
import { useRemembered } from "./remembered.tsx";
import type { ItemOf } from "./timeline-items.ts";

/** Lines that a card shows at first; few more than that are shown at once. */
const SHOWN_LINES = 20;
const SPARED_LINES = 6;
/** Lines that each "Show earlier" adds; and so many a card holds: the dialog has the rest. */
const MORE_LINES = 180;
const CARD_LINES_MAX = 2_000;

/** The end of what a step wrote, growing while it runs; more of it by need. */
export function OutputView({ item, job }: { item: ItemOf<"step">; job: Job }) {
  const { started, ended } = item;
  const { step } = started.data;
  const [wanted, setWanted] = useRemembered<number>(`${item.key} lines`);
  // A job that ended without an end of this step has no more to come either.
  const ended_seq = ended?.seq ?? (job.phase === "ended" ? NEWEST : null);
  const { output, readEarlier } = useStepOutput({
    job_id: job.job_id,
    step,
    started_seq: started.seq,
    ended_seq,
  });
  const { at } = useReplay();
  const chunks = output?.chunks ?? NO_CHUNKS;
  const seen = useMemo(() => (at === null ? chunks : chunks.filter((one) => one.at_ms <= at)), [chunks, at]);
  const count = wanted ?? SHOWN_LINES;
  const { lines, total } = useMemo(() => terminalTail(seen, count + SPARED_LINES), [seen, count]);
  const shown = total > lines.length ? lines.slice(-count) : lines;
  const earlier = output?.earlier === true;
  const idle = output !== null && !output.loading && output.error === null;
  // At an earlier moment, or when more is wanted, what is there may not reach back far enough.
  const begins_late = at !== null && (chunks[0]?.at_ms ?? 0) > at;
  const too_few = total < count && wanted !== null;
  useEffect(() => {
    if (idle && earlier && (begins_late || too_few)) readEarlier();
  });
  const blank = lines.every(({ spans }) => spans.every(({ text }) => text.trim() === ""));
  if (output === null || (blank && !earlier && output.error === null)) return null;
  const first = total - shown.length;
  const more = (first > 0 || earlier) && count < CARD_LINES_MAX;
  return (
    <div className="flex min-w-0 flex-col items-start gap-1">
      {more && (
        <MoreButton onClick={() => setWanted(count + MORE_LINES)}>
          <ChevronUp aria-hidden />
          {output.loading && wanted !== null ? "Loading…" : "Show earlier lines"}
        </MoreButton>
      )}
      <div className="group relative w-full min-w-0">
        <pre className="w-full min-w-0 whitespace-pre-wrap rounded-md bg-sunken px-3 py-2 text-xs [tab-size:8]">
          {shown.map((line, index) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: lines have no other name than their place.
            <div key={first + index} dir="ltr" className="untrusted min-h-[1.125rem]">
              <TerminalText line={line} />
            </div>
          ))}
        </pre>
        <OutputDialog
          job_id={job.job_id}
          step={step}
          title={started.data.title}
          ended={ended_seq !== null}
          trigger={
            <button
              type="button"
              data-opens="output"
              aria-label={`Open the whole output of step ${step}`}
              title="Open whole output (o)"
              className="absolute top-1 right-1 rounded-sm border bg-raised p-1 text-quiet opacity-0 hover:text-ink focus-visible:opacity-100 group-hover:opacity-100 max-sm:opacity-100"
            >
              <Maximize2 aria-hidden className="size-3.5" />
            </button>
          }
        />
      </div>
      {output.error !== null && <p className="text-bad text-xs">{wordsOf(output.error).message}</p>}
    </div>
  );
}

const NO_CHUNKS: readonly OutputChunk[] = [];
