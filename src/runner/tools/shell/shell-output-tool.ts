import { z } from "zod";
import { done, endingLine, refused } from "../outcome.ts";
import { isBinary, plainText } from "../plain-text.ts";
import type { AgentTool } from "../tool.ts";
import type { BackgroundProcesses, BackgroundView } from "./background.ts";

/** What one call reads. */
const READ_MAX_BYTES = 64 * 1024;
const WAIT_MAX_S = 600;
const INPUT_MAX_CHARS = 16 * 1024;
/** A process that is told to end has this long before its state is told. */
const ENDING_MS = 2_000;

const ShellOutputInput = z.object({
  id: z.string().max(20).optional().describe("Which background process; leave out to list all."),
  wait_s: z
    .number()
    .min(0)
    .max(WAIT_MAX_S)
    .default(0)
    .describe("Wait at most so long for new output or the end."),
  signal: z.enum(["SIGINT", "SIGTERM", "SIGKILL"]).optional().describe("Send this to the process first."),
  input: z
    .string()
    .max(INPUT_MAX_CHARS)
    .optional()
    .describe("Type this into its terminal first (pty: true); end a line with \\n."),
});
type ShellOutputInput = z.infer<typeof ShellOutputInput>;

export function shellOutputTool(background: BackgroundProcesses): AgentTool<ShellOutputInput> {
  return {
    name: "shell_output",
    description:
      "Reads what a background process of shell has written since you last read it, and whether it has ended; can signal it or type into its terminal. Without id it lists all background processes.",
    input: ShellOutputInput,
    step: "shell",
    changes: ({ signal, input }) => signal !== undefined || input !== undefined,
    describe({ id, signal, input }) {
      if (id === undefined) return { title: "list background processes", code: "" };
      const title = signal === undefined ? `read ${id}` : `${signal} to ${id}`;
      return { title, code: input ?? "" };
    },
    async run({ id, wait_s, signal, input }, context) {
      const begun = performance.now();
      if (id === undefined) return done(listed(background.list()), begun);
      if (!background.has(id))
        return refused(`There is no background process ${id}.\n${listed(background.list())}`, begun);
      if (input !== undefined && !background.input(id, input))
        return refused(
          `${id} has no terminal to type into: it was started without pty, or has ended.`,
          begun,
        );
      if (signal !== undefined) {
        background.signal(id, signal);
        await background.waitForEnd(id, ENDING_MS, context.signal);
      }
      if (wait_s > 0) await background.wait(id, wait_s * 1000, context.signal);
      const { view, content, left_out, path } = await background.read(id, READ_MAX_BYTES);
      await context.output("stdout", content);
      const cut = left_out === 0 ? "" : `\n(${left_out} earlier bytes are left out; see ${path})`;
      const text = isBinary(content)
        ? `(${content.length} bytes that are no text)`
        : plainText(content.toString("utf8"));
      return done(`${lineOf(view)}${cut}\n${text === "" ? "(no new output)" : text}`, begun);
    },
  };
}

function listed(views: readonly BackgroundView[]): string {
  return views.length === 0 ? "There are no background processes." : views.map(lineOf).join("\n");
}

function lineOf(view: BackgroundView): string {
  const how = view.end === null ? "runs" : `has ended: ${endingLine(view.end)}`;
  return `${view.id} ${how} (started ${Math.round(view.age_ms / 1000)} s ago): ${JSON.stringify(view.title)}`;
}
