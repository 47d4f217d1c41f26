export type Change = "created" | "modified" | "deleted";

/** How a change of a file is shown, as people know it from git. */
export const CHANGE_LOOKS: Record<Change, { letter: string; word: string; colour: string }> = {
  created: { letter: "A", word: "created", colour: "text-good" },
  modified: { letter: "M", word: "changed", colour: "text-accent" },
  deleted: { letter: "D", word: "deleted", colour: "text-bad" },
};
