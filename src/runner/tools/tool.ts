import type { z } from "zod";
import type { StepTool } from "../../contract/event.ts";
import type { ToolResult } from "../process/tool-processes.ts";

/** Something to look at that a step made: a plot, a table, a screenshot. */
export type Display = { mime: string; content: Buffer; text: string | null };

/** What a tool may do while its step runs. */
export interface StepContext {
  /** The step's number in its job. */
  readonly number: number;
  /** Aborted with a StopCause when the job ends. */
  readonly signal: AbortSignal;
  /** Output as it comes; holds the tool back while it is being kept. */
  output(stream: "stdout" | "stderr", chunk: Buffer): Promise<void>;
  /** Kept as a blob and said as `step.displayed`. */
  display(display: Display): Promise<void>;
  /** Said as `file.changed`, with a unified diff; `before` is null for a file that was not there. The path is relative to the workspace, or absolute below home. */
  fileChanged(path: string, before: string | null, after: string | null): Promise<void>;
}

/** How a step ended, and what the model is told of it. */
export type ToolOutcome = ToolResult & {
  /** The result as the model reads it, whole: whoever puts it into a conversation shortens it. */
  for_model: string;
  /** Pictures that a model which sees may look at. */
  images?: { mime: string; base64: string }[];
};

/** A tool that an agent with a model may call. */
export interface AgentTool<I = unknown> {
  /** As the model calls it: lower case, with underscores. */
  readonly name: string;
  readonly description: string;
  readonly input: z.ZodType<I>;
  /** What a step of it counts as in events. */
  readonly step: StepTool;
  /** Whether this call runs or writes something, so that the approval policy `always` asks before it. */
  changes(input: I): boolean;
  /** One line for people, and the code or text that the step carries out. */
  describe(input: I): { title: string; code: string };
  /** Never throws for what the model did wrong: that is an outcome which says so. Throws what emitting events threw. */
  run(input: I, context: StepContext): Promise<ToolOutcome>;
}
