import type { EventOf } from "../events/job-events.ts";

export type Change = EventOf<"file.changed">["data"]["change"];

/** How a change of a file is shown, as people know it from git. */
export const CHANGE_LOOKS: Record<Change, { letter: string; word: string; colour: string }> = {
  created: { letter: "A", word: "created", colour: "text-good" },
  modified: { letter: "M", word: "changed", colour: "text-accent" },
  deleted: { letter: "D", word: "deleted", colour: "text-bad" },
};
