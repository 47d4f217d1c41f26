import { FileDiff as FileDiffIcon } from "lucide-react";
import { useMemo } from "react";
import type { Job } from "../../../../src/contract/job.ts";
import { Empty } from "../../ui/empty.tsx";
import { Skeleton } from "../../ui/skeleton.tsx";
import { useJobEvents } from "../events/job-events-provider.tsx";
import { timeOfDay } from "../replay/clock-text.ts";
import { useReplay } from "../replay/replay-moment.tsx";
import { storyOf } from "../replay/story.ts";
import { countOf } from "../replay/times.ts";
import { ChangedFiles } from "./changed-files.tsx";
import { type Edit, editedFiles } from "./event-files.ts";
import { FileDiff } from "./file-diff.tsx";

/** So many edits of one file are shown, the last ones. */
const EDITS_SHOWN = 20;
/** So few files are open from the beginning. */
const OPEN_FILES_MAX = 6;

/** The files that changed while the job worked, as its events tell it; up to a moment when there is one. */
export function EventChanges({ job, at }: { job: Job; at: number | null }) {
  const { events, complete } = useJobEvents();
  const { files: changes } = storyOf(events);
  const count = at === null ? changes.length : countOf(changes, at);
  const files = useMemo(() => editedFiles(changes, count), [changes, count]);
  const replays = job.phase === "ended";
  if (files.length === 0) {
    if (!complete) return <Skeleton className="m-4 h-40" />;
    return (
      <Empty
        icon={<FileDiffIcon />}
        title={at === null ? "No file was changed" : "No file had been changed yet"}
      >
        {job.phase === "ended"
          ? "What the agent writes, changes and deletes in its workspace stands here."
          : "What the agent writes, changes and deletes in its workspace stands here as it happens."}
      </Empty>
    );
  }
  return (
    <ChangedFiles
      head={
        <h2 className="font-medium text-sm">
          {files.length.toLocaleString()} {files.length === 1 ? "file" : "files"}
          {at === null ? " changed" : " changed until then"}
        </h2>
      }
      foot={
        <p className="text-quiet text-xs">
          {job.patch
            ? `As the steps changed them. ${at === null ? "Once the job has ended its patch stands here." : "Now shows the patch."}`
            : "As the steps changed them, edit by edit. A job that is scheduled with “keep a patch” has one for all files that were sent."}
        </p>
      }
      open={files.length <= OPEN_FILES_MAX}
      files={files.map(({ path, change, edits, added, removed }) => ({
        key: path,
        path,
        change,
        note: edits.length > 1 ? `${edits.length.toLocaleString()} edits` : null,
        counts: edits.some(({ data }) => data.diff !== null) ? { added, removed } : null,
        content: () => <Edits job_id={job.job_id} edits={edits} replays={replays} />,
      }))}
    />
  );
}

function Edits({ job_id, edits, replays }: { job_id: string; edits: readonly Edit[]; replays: boolean }) {
  const { seek } = useReplay();
  const shown = Array.from(edits.entries(), ([index, edit]) => ({ n: index + 1, ...edit }))
    .slice(-EDITS_SHOWN)
    .reverse();
  if (edits.length === 1 && edits[0] !== undefined)
    return <FileDiff job_id={job_id} changed={edits[0].data} preview={PREVIEW_LINES} />;
  return (
    <ol className="flex flex-col">
      {shown.map(({ n, at, data }) => (
        <li key={n} className="border-t first:border-t-0">
          <div className="flex items-center gap-2 px-3 pt-2 text-quiet text-xs">
            <span>Edit {n}</span>
            {replays ? (
              <button
                type="button"
                onClick={() => seek(at)}
                className="tabular rounded-sm hover:text-accent hover:underline"
                aria-label={`Replay from ${timeOfDay(at)}`}
              >
                {timeOfDay(at)}
              </button>
            ) : (
              <span className="tabular">{timeOfDay(at)}</span>
            )}
          </div>
          <FileDiff job_id={job_id} changed={data} edit={n} preview={PREVIEW_LINES} />
        </li>
      ))}
      {edits.length > shown.length && (
        <li className="border-t px-3 py-2 text-quiet text-xs">
          {(edits.length - shown.length).toLocaleString()} earlier edits are left out here; a replay shows
          each.
        </li>
      )}
    </ol>
  );
}

const PREVIEW_LINES = 40;
