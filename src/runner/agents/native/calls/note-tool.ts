import { z } from "zod";
import { addNote } from "../notes.ts";
import type { OwnTool } from "./own-tool.ts";

const NOTE_MAX_CHARS = 8_000;
const Input = z.object({ text: z.string().min(1).max(NOTE_MAX_CHARS) });

/** Keeps what must not be forgotten, whatever becomes of the conversation. */
export function noteTool(workspace: string): OwnTool<z.infer<typeof Input>> {
  return {
    name: "note",
    description:
      "Adds to your notes in .sealwork/notes.md, which you are shown again whenever the conversation had to be shortened. For facts, decisions and open problems that you will need later.",
    input: Input,
    async run({ text }) {
      const problem = await addNote(workspace, text);
      return { ok: problem === null, text: problem ?? "Noted." };
    },
  };
}
