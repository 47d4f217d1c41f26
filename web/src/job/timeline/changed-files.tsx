import { useQuery } from "@tanstack/react-query";
import clsx from "clsx";
import { ChevronRight } from "lucide-react";
import { useMemo } from "react";
import { formatSize } from "../../../../src/contract/units.ts";
import { request } from "../../api/request.ts";
import { visibleLine, visibleText } from "../../text/visible-text.ts";
import type { EventOf } from "../events/job-events.ts";
import { MoreButton } from "./card.tsx";
import { type DiffLine, diffOf } from "./diff-lines.ts";
import { useRemembered } from "./remembered.tsx";

type Changed = EventOf<"file.changed">;

const FILES_SHOWN = 6;
/** A diff of so few lines is open from the beginning, when it is the only one. */
const OPEN_LINES = 24;
const LINES_SHOWN = 40;
/** More lines than this are for the tab Changes, or the file itself. */
const LINES_MAX = 3_000;

const MARKS = {
  created: { letter: "A", word: "created", colour: "text-good" },
  modified: { letter: "M", word: "changed", colour: "text-accent" },
  deleted: { letter: "D", word: "deleted", colour: "text-bad" },
};

/** The files that a step changed, each with its diff by need. */
export function ChangedFiles({ id, files }: { id: string; files: readonly Changed[] }) {
  const [all, setAll] = useRemembered<boolean>(`${id} files`);
  const shown = all === true ? files : files.slice(0, FILES_SHOWN);
  const left_out = files.length - shown.length;
  return (
    <div className="flex min-w-0 flex-col items-start gap-0.5">
      <ul className="flex w-full min-w-0 flex-col gap-0.5">
        {shown.map((event) => (
          <ChangedFile key={event.seq} event={event} alone={files.length === 1} />
        ))}
      </ul>
      {left_out > 0 && <MoreButton onClick={() => setAll(true)}>{left_out} more files</MoreButton>}
    </div>
  );
}

function ChangedFile({ event, alone }: { event: Changed; alone: boolean }) {
  const { path, change, diff, diff_blob, size_bytes } = event.data;
  const parsed = useMemo(() => (diff === null ? null : diffOf(diff)), [diff]);
  const [chosen, setChosen] = useRemembered<boolean>(`${event.seq} diff`);
  const has_diff = parsed !== null && parsed.lines.length > 0;
  const open = has_diff && (chosen ?? (alone && parsed.lines.length <= OPEN_LINES));
  const { letter, word, colour } = MARKS[change];
  const more = diff_blob === null ? "" : "…";
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
          <span className="tabular ml-auto shrink-0">
            <span className="text-good">
              +{parsed.added}
              {more}
            </span>{" "}
            <span className="text-bad">
              −{parsed.removed}
              {more}
            </span>
          </span>
        ) : (
          change !== "deleted" && (
            <span className="tabular ml-auto shrink-0 text-quiet">{formatSize(size_bytes)}</span>
          )
        )}
      </button>
      {open && <DiffView event={event} lines={parsed.lines} />}
    </li>
  );
}

function DiffView({ event, lines }: { event: Changed; lines: readonly DiffLine[] }) {
  const { diff_blob } = event.data;
  const [all, setAll] = useRemembered<boolean>(`${event.seq} all`);
  const path = `/jobs/${event.job_id}/blobs/${diff_blob}`;
  const { data: whole } = useQuery({
    queryKey: ["diff", path],
    queryFn: async ({ signal }) => diffOf(await (await request(path, { signal })).text()).lines,
    enabled: all === true && diff_blob !== null,
    staleTime: Number.POSITIVE_INFINITY,
  });
  const known = whole ?? lines;
  const shown = known.slice(0, all === true ? LINES_MAX : LINES_SHOWN);
  const can_more = all !== true && (known.length > LINES_SHOWN || diff_blob !== null);
  return (
    <div className="mt-1 flex flex-col items-start gap-1">
      <div className="w-full overflow-x-auto rounded-md bg-sunken py-1 font-mono text-xs [tab-size:4]">
        <table className="w-full border-collapse">
          <tbody>
            {shown.map((line, index) => (
              // biome-ignore lint/suspicious/noArrayIndexKey: lines of a diff have no other name than their place.
              <Row key={index} line={line} />
            ))}
          </tbody>
        </table>
      </div>
      {can_more && (
        <MoreButton onClick={() => setAll(true)}>
          {diff_blob === null ? `Show all ${known.length} lines` : "Show all of it"}
        </MoreButton>
      )}
      {all === true && known.length > LINES_MAX && (
        <p className="text-quiet text-xs">{known.length - LINES_MAX} more lines are left out here.</p>
      )}
    </div>
  );
}

const LOOKS = { added: "bg-good-soft", removed: "bg-bad-soft", same: "" };
const SIGNS = { added: "+", removed: "−", same: " " };
const NUMBER = "tabular w-px select-none whitespace-nowrap px-2 text-right align-top text-quiet";

function Row({ line }: { line: DiffLine }) {
  if (line.kind === "hunk")
    return (
      <tr className="text-quiet">
        <td colSpan={4} className="untrusted px-3 py-0.5">
          {visibleText(line.text)}
        </td>
      </tr>
    );
  return (
    <tr className={LOOKS[line.kind]}>
      <td className={clsx(NUMBER, "max-sm:hidden")}>{line.old}</td>
      <td className={NUMBER}>{line.new}</td>
      <td className="w-4 select-none align-top">{SIGNS[line.kind]}</td>
      <td dir="ltr" className="untrusted whitespace-pre-wrap pr-3">
        {visibleText(line.text)}
      </td>
    </tr>
  );
}
