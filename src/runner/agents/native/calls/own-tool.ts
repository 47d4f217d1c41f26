import type { z } from "zod";

/** A tool for the agent's own plan and notes: no step of the job, so nobody is asked before it. */
export interface OwnTool<I = unknown> {
  readonly name: string;
  readonly description: string;
  readonly input: z.ZodType<I>;
  /** What the model is told. */
  run(input: I): Promise<{ ok: boolean; text: string }>;
}
