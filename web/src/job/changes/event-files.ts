import { countDiff, type DiffCounts } from "../../ui/diff-lines.ts";
import type { EventOf } from "../events/job-events.ts";
import type { Timed } from "../replay/story.ts";
import type { Change } from "./change-look.ts";

export type Edit = { at: number; data: EventOf<"file.changed">["data"] };

/** A file with all that was done to it, in order. */
export type EditedFile = DiffCounts & { path: string; change: Change; edits: Edit[]; last_at: number };

/** The first `count` changes by file; what came last first. Lines that came and went again count both times. */
export function editedFiles(changes: readonly Timed<"file.changed">[], count: number): EditedFile[] {
  const files = new Map<string, EditedFile>();
  for (let index = 0; index < count; index += 1) {
    const edit = changes[index];
    if (edit === undefined) break;
    const { path, change, diff } = edit.data;
    const { added, removed } = diff === null ? { added: 0, removed: 0 } : countDiff(diff);
    const file = files.get(path);
    if (file === undefined) {
      files.set(path, { path, change, edits: [edit], last_at: edit.at, added, removed });
      continue;
    }
    file.change = together(file.change, change);
    file.edits.push(edit);
    file.last_at = edit.at;
    file.added += added;
    file.removed += removed;
  }
  return [...files.values()].sort((a, b) => b.last_at - a.last_at);
}

/** What two changes come to: a file that is made and then changed was made. */
function together(first: Change, second: Change): Change {
  if (second === "deleted") return "deleted";
  if (first === "deleted") return second === "created" ? "modified" : second;
  return first;
}
