import { z } from "zod";
import { comparable, writeFileBelow } from "../../workspace/write-file.ts";
import { done, refused } from "../outcome.ts";
import type { AgentTool } from "../tool.ts";
import { TEXT_MAX_BYTES } from "./file-content.ts";
import type { Reach } from "./reach.ts";

const WriteFileInput = z.object({
  path: z.string().min(1).max(4096).describe("Relative to the workspace, or absolute below home."),
  content: z.string().max(TEXT_MAX_BYTES).describe("The whole content."),
});
type WriteFileInput = z.infer<typeof WriteFileInput>;

export function writeFileTool(reach: Reach): AgentTool<WriteFileInput> {
  return {
    name: "write_file",
    description:
      "Writes a whole text file; makes its folders, replaces what is there and keeps its mode. To change a part of a file use edit_file.",
    input: WriteFileInput,
    step: "file",
    changes: () => true,
    describe: ({ path, content }) => ({ title: path, code: content }),
    async run({ path, content }, context) {
      const begun = performance.now();
      const found = await reach.findToWrite(path);
      if (typeof found === "string") return refused(found, begun);
      const bytes = Buffer.from(content.toWellFormed());
      let before: Buffer | null;
      try {
        const below = await reach.below(found);
        before = await writeFileBelow(below.root, below.path, bytes);
      } catch (error) {
        const why = error instanceof Error ? error.message : String(error);
        return refused(`${found.shown} could not be written: ${why}`, begun);
      }
      await context.fileChanged(found.shown, before === null ? null : comparable(before), content);
      return done(
        `${before === null ? "Created" : "Replaced"} ${found.shown} (${bytes.length} bytes).`,
        begun,
      );
    },
  };
}
