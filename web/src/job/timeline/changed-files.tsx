import { useQuery } from "@tanstack/react-query";
import clsx from "clsx";
import { ChevronRight } from "lucide-react";
import { useMemo } from "react";
import { formatSize } from "../../../../src/contract/units.ts";
import { request } from "../../api/request.ts";
import { visibleLine } from "../../text/visible-text.ts";
import { Diff, DiffStat } from "../../ui/diff.tsx";
import { countDiff } from "../../ui/diff-lines.ts";
import { CHANGE_LOOKS } from "../changes/change-look.ts";
import type { EventOf } from "../events/job-events.ts";
import { MoreButton } from "./card.tsx";
import { useRemembered } from "./remembered.tsx";

type Changed = EventOf<"file.changed">;

const FILES_SHOWN = 6;
/** A diff of so few changed lines is open from the beginning, when it is the only one. */
const OPEN_LINES = 16;
const LINES_SHOWN = 40;

/** The files that a step changed, each with its diff by need. */
export function ChangedFiles({ id, files }: { id: string; files: readonly Changed[] }) {
  const [all, setAll] = useRemembered<boolean>(`${id} files`);
  const shown = all === true ? files : files.slice(0, FILES_SHOWN);
  const left_out = files.length - shown.length;
  const diffs = files.filter(({ data }) => data.diff !== null && data.diff !== "").length;
  return (
    <div className="flex min-w-0 flex-col items-start gap-0.5">
      <ul className="flex w-full min-w-0 flex-col gap-0.5">
        {shown.map((event) => (
          <ChangedFile key={event.seq} event={event} alone={diffs === 1} />
        ))}
      </ul>
      {left_out > 0 && <MoreButton onClick={() => setAll(true)}>{left_out} more files</MoreButton>}
    </div>
  );
}

function ChangedFile({ event, alone }: { event: Changed; alone: boolean }) {
  const { path, change, diff, diff_blob, size_bytes } = event.data;
  const counts = useMemo(() => countDiff(diff ?? ""), [diff]);
  const changed = counts.added + counts.removed;
  const [chosen, setChosen] = useRemembered<boolean>(`${event.seq} diff`);
  const has_diff = changed > 0;
  const open = has_diff && (chosen ?? (alone && changed <= OPEN_LINES));
  const { letter, word, colour } = CHANGE_LOOKS[change];
  return (
    <li className="min-w-0">
      <button
        type="button"
        disabled={!has_diff}
        aria-expanded={has_diff ? open : undefined}
        onClick={() => setChosen(!open)}
        className="-ml-1 flex w-full min-w-0 items-center gap-1.5 rounded-sm px-1 py-0.5 text-left font-mono text-xs enabled:hover:bg-hover"
      >
        <ChevronRight
          aria-hidden
          className={clsx(
            "size-3.5 shrink-0 text-faint transition-transform",
            open && "rotate-90",
            !has_diff && "invisible",
          )}
        />
        <span className={clsx("w-3 shrink-0 font-semibold", colour)} title={word}>
          {letter}
        </span>
        <span className="untrusted min-w-0 truncate">{visibleLine(path)}</span>
        {has_diff ? (
          <span className="ml-auto flex shrink-0 items-center gap-1">
            <DiffStat {...counts} />
            {diff_blob !== null && <span className="text-quiet">and more</span>}
          </span>
        ) : (
          change !== "deleted" && (
            <span className="tabular ml-auto shrink-0 text-quiet">{formatSize(size_bytes)}</span>
          )
        )}
      </button>
      {open && <DiffView event={event} />}
    </li>
  );
}

function DiffView({ event }: { event: Changed }) {
  const { path, diff, diff_blob } = event.data;
  const [all, setAll] = useRemembered<boolean>(`${event.seq} all`);
  const address = `/jobs/${event.job_id}/blobs/${diff_blob}`;
  const { data: whole } = useQuery({
    queryKey: ["diff", address],
    queryFn: async ({ signal }) => (await request(address, { signal })).text(),
    enabled: all === true && diff_blob !== null,
    staleTime: Number.POSITIVE_INFINITY,
  });
  return (
    <div className="mt-1 flex flex-col items-start gap-1">
      <Diff
        diff={whole ?? diff ?? ""}
        label={`Changes of ${visibleLine(path)}`}
        preview={LINES_SHOWN}
        className="w-full overflow-hidden rounded-md border"
      />
      {diff_blob !== null && whole === undefined && (
        <MoreButton onClick={() => setAll(true)}>It is longer: load all of it</MoreButton>
      )}
    </div>
  );
}
