import clsx from "clsx";
import { Ban, CircleCheck, CircleDashed, CircleX, Hand, LoaderCircle, Package, Unplug } from "lucide-react";
import type { Job, Phase, Status } from "../../../src/contract/job.ts";
import { useIsStale } from "./stale.ts";

type Look = { text: string; icon: typeof CircleCheck; colour: string; moves?: boolean };

const BY_STATUS: Record<Status, Look> = {
  pending: { text: "Pending", icon: CircleDashed, colour: "text-quiet" },
  running: { text: "Running", icon: LoaderCircle, colour: "text-accent", moves: true },
  complete: { text: "Complete", icon: CircleCheck, colour: "text-good" },
  error: { text: "Failed", icon: CircleX, colour: "text-bad" },
  cancelled: { text: "Cancelled", icon: Ban, colour: "text-quiet" },
};

/** What a phase says beyond its status. */
const BY_PHASE: Partial<Record<Phase, Look>> = {
  queued: { text: "Queued", icon: CircleDashed, colour: "text-quiet" },
  starting: { text: "Starting", icon: LoaderCircle, colour: "text-quiet", moves: true },
  working: { text: "Working", icon: LoaderCircle, colour: "text-accent", moves: true },
  waiting: { text: "Waits for you", icon: Hand, colour: "text-person" },
  packing: { text: "Packing", icon: Package, colour: "text-accent" },
};

/** What was true when the server was heard last. How a job ended stays true. */
const WAS: Partial<Record<Phase, string>> = {
  queued: "Was queued",
  starting: "Was starting",
  working: "Was working",
  waiting: "Waited for you",
  packing: "Was packing",
};

type Shown = Pick<Job, "status" | "phase">;

/** The status of a job as icon and word, of one size wherever it stands; in the past tense while the server is not heard. */
export function JobStatus({ job, className }: { job: Shown; className?: string }) {
  const stale = useIsStale();
  const { text, icon: Icon, colour, moves } = lookOf(job, stale);
  return (
    <span
      className={clsx(
        "inline-flex items-center gap-1.5 whitespace-nowrap font-medium text-sm",
        colour,
        className,
      )}
    >
      <Icon
        aria-hidden
        className={clsx("size-4 shrink-0", moves && "animate-spin [animation-duration:2.4s]")}
      />
      {text}
    </span>
  );
}

/** The same in words alone, for titles. */
export function statusWord(job: Shown, stale: boolean): string {
  return lookOf(job, stale).text;
}

function lookOf({ status, phase }: Shown, stale: boolean): Look {
  const was = stale ? WAS[phase] : undefined;
  if (was !== undefined) return { text: was, icon: Unplug, colour: "text-quiet" };
  return BY_PHASE[phase] ?? BY_STATUS[status];
}

export const STATUS_WORDS: Record<Status, string> = {
  pending: BY_STATUS.pending.text,
  running: BY_STATUS.running.text,
  complete: BY_STATUS.complete.text,
  error: BY_STATUS.error.text,
  cancelled: BY_STATUS.cancelled.text,
};
