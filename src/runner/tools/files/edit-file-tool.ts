import { z } from "zod";
import { writeFileBelow } from "../../workspace/write-file.ts";
import { done, refused } from "../outcome.ts";
import type { AgentTool } from "../tool.ts";
import { exactEdit } from "./exact-edit.ts";
import { readText, TEXT_MAX_BYTES } from "./file-content.ts";
import type { Reach } from "./reach.ts";

const EditFileInput = z.object({
  path: z.string().min(1).max(4096).describe("Relative to the workspace, or absolute below home."),
  old_text: z
    .string()
    .min(1)
    .max(TEXT_MAX_BYTES)
    .describe("What is replaced, exactly as it is in the file, white space included, without line numbers."),
  new_text: z.string().max(TEXT_MAX_BYTES).describe("What takes its place; empty removes it."),
  replace_all: z.boolean().default(false).describe("Replace every occurrence; else there must be just one."),
});
type EditFileInput = z.infer<typeof EditFileInput>;

export function editFileTool(reach: Reach): AgentTool<EditFileInput> {
  return {
    name: "edit_file",
    description:
      "Replaces a piece of a text file by an exact match of old_text, which must be in the file once unless replace_all is set. Read the file before you edit it.",
    input: EditFileInput,
    step: "file",
    changes: () => true,
    describe: ({ path, old_text, new_text }) => ({
      title: path,
      code: `<<<<<<< old\n${old_text}\n=======\n${new_text}\n>>>>>>> new\n`,
    }),
    async run({ path, ...edit }, context) {
      const begun = performance.now();
      const found = await reach.findToWrite(path);
      if (typeof found === "string") return refused(found, begun);
      const before = await readText(found.real, found.shown);
      if (typeof before === "string") return refused(before, begun);
      const edited = exactEdit(before.text, edit);
      if ("refused" in edited) return refused(`${found.shown}: ${edited.refused}`, begun);
      const content = Buffer.from(edited.text.toWellFormed());
      if (content.length > TEXT_MAX_BYTES)
        return refused(`${found.shown} would have more than ${TEXT_MAX_BYTES} bytes.`, begun);
      try {
        const below = await reach.below(found);
        await writeFileBelow(below.root, below.path, content);
      } catch (error) {
        const why = error instanceof Error ? error.message : String(error);
        return refused(`${found.shown} could not be written: ${why}`, begun);
      }
      await context.fileChanged(found.shown, before.text, edited.text);
      const { lines } = edited;
      const where = lines.length === 1 ? `at line ${lines[0]}` : `at ${lines.length} places`;
      return done(`Edited ${found.shown} ${where}.`, begun);
    },
  };
}
