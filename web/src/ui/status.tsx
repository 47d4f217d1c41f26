import clsx from "clsx";
import { Ban, CircleCheck, CircleDashed, CircleX, Hand, LoaderCircle, Package } from "lucide-react";
import type { Job, Phase, Status } from "../../../src/contract/job.ts";

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

/** The status of a job as icon and word, of one size wherever it stands. */
export function JobStatus({ job, className }: { job: Pick<Job, "status" | "phase">; className?: string }) {
  const { text, icon: Icon, colour, moves } = BY_PHASE[job.phase] ?? BY_STATUS[job.status];
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

export const STATUS_WORDS: Record<Status, string> = {
  pending: BY_STATUS.pending.text,
  running: BY_STATUS.running.text,
  complete: BY_STATUS.complete.text,
  error: BY_STATUS.error.text,
  cancelled: BY_STATUS.cancelled.text,
};
