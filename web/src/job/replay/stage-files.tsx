import clsx from "clsx";
import { useMemo, useState } from "react";
import { visibleLine } from "../../text/visible-text.ts";
import { DiffStat } from "../../ui/diff.tsx";
import { countDiff } from "../../ui/diff-lines.ts";
import { CHANGE_LOOKS } from "../changes/change-look.ts";
import { FileDiff } from "../changes/file-diff.tsx";
import { Panel } from "../overview/panel.tsx";
import type { Story, Timed } from "./story.ts";
import { countOf } from "./times.ts";

/** Files that are listed, the latest first; so far back is looked for them. */
const FILES_SHOWN = 8;
const LOOKED_BACK = 400;
const PREVIEW_LINES = 18;

/** The files that the agent had written by then, and how the latest came to be as it was. */
export function StageFiles({ job_id, story, at }: { job_id: string; story: Story; at: number }) {
  const count = countOf(story.files, at);
  const latest = useMemo(() => latestFiles(story.files, count), [story.files, count]);
  const [chosen, setChosen] = useState<string | null>(null);
  if (story.files.length === 0) return null;
  const shown =
    latest.find(({ data }) => data.path === chosen) ??
    latest.find(({ data }) => data.diff !== null) ??
    latest[0];
  return (
    <Panel
      title={
        count === 0 ? "Files" : `Files, after ${count.toLocaleString()} ${count === 1 ? "change" : "changes"}`
      }
    >
      {shown === undefined ? (
        <p className="text-quiet text-sm">None had been written yet.</p>
      ) : (
        <>
          <ul className="flex flex-wrap gap-1.5 pt-1">
            {latest.map(({ data }) => {
              const { letter, colour, word } = CHANGE_LOOKS[data.change];
              return (
                <li key={data.path} className="min-w-0">
                  <button
                    type="button"
                    aria-pressed={data === shown.data}
                    onClick={() => setChosen(data.path)}
                    className={clsx(
                      "untrusted flex max-w-72 items-center gap-1.5 rounded-md border px-2 py-0.5 font-mono text-xs",
                      data === shown.data
                        ? "border-line-strong bg-hover text-ink"
                        : "text-soft hover:bg-hover",
                    )}
                  >
                    <span title={word} className={clsx("font-semibold", colour)}>
                      {letter}
                    </span>
                    <span className="truncate">{visibleLine(data.path)}</span>
                  </button>
                </li>
              );
            })}
          </ul>
          <div className="mt-3 overflow-hidden rounded-md border">
            <div className="flex items-center justify-between gap-3 border-b bg-sunken px-3 py-1.5">
              <span className="untrusted min-w-0 truncate font-mono text-xs">
                {visibleLine(shown.data.path)}
              </span>
              {shown.data.diff !== null && <DiffStat {...countDiff(shown.data.diff)} />}
            </div>
            <FileDiff
              key={`${shown.at} ${shown.data.path}`}
              job_id={job_id}
              changed={shown.data}
              preview={PREVIEW_LINES}
            />
          </div>
        </>
      )}
    </Panel>
  );
}

function latestFiles(files: readonly Timed<"file.changed">[], count: number): Timed<"file.changed">[] {
  const found = new Map<string, Timed<"file.changed">>();
  for (let index = count - 1; index >= Math.max(0, count - LOOKED_BACK); index -= 1) {
    const file = files[index];
    if (file !== undefined && !found.has(file.data.path)) found.set(file.data.path, file);
    if (found.size === FILES_SHOWN) break;
  }
  return [...found.values()];
}
